//! The tree as a whole, on a real folder: what people mean, and what is put, verified and taken away
//! while others use it.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cachy::headers::Headers;
use cachy::last_use;
use cachy::layout::path_of;
use cachy::meta::Meta;
use cachy::pattern::Pattern;
use cachy::removal::remove;
use cachy::survey::{Whose, walk};
use cachy::upload::{Over, Upload};
use cachy::verify::{Verdict, verify};
use proptest::prelude::*;
use tempfile::TempDir;

use support::{NOW, fetch, open, paths, served, target};

#[test]
fn a_file_that_changes_under_the_hand_stays() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fetch(&store, "https://h/a", b"cachys", &[], NOW);
    let rel = path_of(&target("https://h/a"));
    let seen = cachy::survey::at(&store, &rel, true).unwrap().unwrap();
    fs::write(folder.path().join("h/new"), b"a persons").unwrap();
    fs::rename(folder.path().join("h/new"), folder.path().join("h/a")).unwrap();
    let alone = store.alone(&rel).unwrap();
    assert_eq!(
        store.take(&alone, &seen).unwrap(),
        cachy::removal::Gone::Changed
    );
    assert_eq!(fs::read(folder.path().join("h/a")).unwrap(), b"a persons");
    assert!(Meta::load(&store.tree, &rel).unwrap().is_some());
}

#[test]
fn an_upload_is_there_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let url = "https://h/a";
    for language in ["de", "en"] {
        fetch(
            &store,
            url,
            language.as_bytes(),
            &[("Accept-Language", language)],
            NOW,
        );
    }
    let begin = |over| Upload::begin(Arc::clone(&store), target(url), over);
    let mut upload = begin(Over::Cachys).unwrap();
    upload.write(b"half").unwrap();
    drop(upload);
    let german = [("Accept-Language", "de")];
    assert_eq!(served(&store, url, &german, NOW).unwrap(), b"de");
    let mut upload = begin(Over::Cachys).unwrap();
    upload.write(b"mi").unwrap();
    upload.write(b"ne").unwrap();
    assert_eq!(upload.commit().unwrap().at.as_str(), "h/a");
    for language in ["de", "en", "fr"] {
        let asked = [("Accept-Language", language)];
        assert_eq!(served(&store, url, &asked, NOW).unwrap(), b"mine");
    }
    assert_eq!(paths(&store), ["h/a"]);
    let exists =
        |error: &cachy::error::Error| error.kind() == Some(std::io::ErrorKind::AlreadyExists);
    assert!(begin(Over::Cachys).is_err_and(|error| exists(&error)));
    // One that began before the other file was there.
    fs::remove_file(folder.path().join("h/a")).unwrap();
    let upload = begin(Over::Cachys).unwrap();
    fs::write(folder.path().join("h/a"), b"first").unwrap();
    assert!(upload.commit().is_err_and(|error| exists(&error)));
    assert_eq!(fs::read(folder.path().join("h/a")).unwrap(), b"first");
    assert_eq!(
        fs::read_dir(folder.path().join(".cachy/tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn conditions_hold_until_the_end() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let (url, file) = ("https://h/a", folder.path().join("h/a"));
    let begin = |name: &str, value: &str| {
        let mut fields = Headers::default();
        fields.push(name, value);
        let over = Over::of(&fields);
        let mut upload = Upload::begin(Arc::clone(&store), target(url), over)?;
        upload.write(b"new").map(|()| upload)
    };
    let fails =
        |error: &cachy::error::Error| matches!(error, cachy::error::Error::Condition { .. });
    assert!(begin("If-Match", "*").is_err_and(|e| fails(&e)));
    let first = begin("If-None-Match", "*").unwrap();
    fs::create_dir(folder.path().join("h")).unwrap();
    fs::write(&file, b"old").unwrap();
    assert!(
        first.commit().is_err_and(|e| fails(&e)),
        "it came meanwhile"
    );
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert!(begin("If-None-Match", "*").is_err_and(|e| fails(&e)));
    let second = begin("If-Match", "*").unwrap();
    fs::remove_file(&file).unwrap();
    assert!(
        second.commit().is_err_and(|e| fails(&e)),
        "it went meanwhile"
    );
    assert!(!file.exists());
    // A stored response too.
    let first = begin("If-None-Match", "*").unwrap();
    fetch(&store, url, b"stored", &[], NOW);
    assert!(first.commit().is_err_and(|e| fails(&e)));
    assert!(begin("If-None-Match", "*").is_err_and(|e| fails(&e)));
    assert_eq!(served(&store, url, &[], NOW).unwrap(), b"stored");
    begin("If-Match", "*").unwrap().commit().unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[test]
fn broken_is_what_has_its_time_and_not_its_bytes() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fetch(&store, "https://h/a", b"0123456789", &[], NOW);
    let rel = path_of(&target("https://h/a"));
    let file = folder.path().join("h/a");
    assert_eq!(verify(&store, &rel, false).unwrap(), Verdict::Whole);
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, b"012345678X").unwrap();
    assert_eq!(verify(&store, &rel, true).unwrap(), Verdict::Person);
    fetch(&store, "https://h/b", b"0123456789", &[], NOW);
    let rel = path_of(&target("https://h/b"));
    let file = folder.path().join("h/b");
    let time = time.max(fs::metadata(&file).unwrap().modified().unwrap());
    fs::write(&file, b"012345678X").unwrap();
    fs::File::options()
        .append(true)
        .open(&file)
        .unwrap()
        .set_modified(time)
        .unwrap();
    assert!(matches!(
        verify(&store, &rel, false).unwrap(),
        Verdict::Broken { dropped: false, .. }
    ));
    assert!(matches!(
        verify(&store, &rel, true).unwrap(),
        Verdict::Broken { dropped: true, .. }
    ));
    assert_eq!(verify(&store, &rel, true).unwrap(), Verdict::Gone);
    assert!(!file.exists());
}

#[test]
fn finding_out_whose_it_is_is_no_use() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fetch(&store, "https://h/a", b"1", &[], NOW);
    let rel = path_of(&target("https://h/a"));
    let file = fs::File::options()
        .append(true)
        .open(folder.path().join("h/a"))
        .unwrap();
    // As in a tree that was copied.
    file.set_modified(UNIX_EPOCH + Duration::from_secs(7))
        .unwrap();
    let item = cachy::survey::at(&store, &rel, true).unwrap().unwrap();
    assert!(matches!(item.whose, Whose::Cachy(_)));
    assert_eq!(last_use::of(&store.tree, &rel), Some(NOW));
    let record = &Meta::load(&store.tree, &rel).unwrap().unwrap().records[0];
    assert!(record.is_by_clock(cachy::meta::Seen {
        size: 1,
        mtime_ns: 7_000_000_000
    }));
}

/// URLs with what shells and globs take for something else.
fn urls() -> impl Strategy<Value = String> {
    "https://(h|\\[::1\\])(:8443)?(/[a-c*\\[{é ]{0,3}){1,3}(\\?[a-b=/*?]{0,3})?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_url_names_itself_alone_whatever_stands_in_it(
        all in prop::collection::btree_set(urls(), 1..6),
    ) {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path());
        for url in &all {
            let mut upload = Upload::begin(Arc::clone(&store), target(url), Over::Anything).unwrap();
            upload.write(url.as_bytes()).unwrap();
            upload.commit().unwrap();
        }
        let different: std::collections::BTreeSet<_> =
            all.iter().map(|url| path_of(&target(url)).as_str().to_owned()).collect();
        prop_assert_eq!(paths(&store).len(), different.len());
        for url in &all {
            let meant = target(url).url();
            for text in [url.as_str(), path_of(&target(url)).as_str()] {
                let pattern = Pattern::parse(&store.tree, text).unwrap_or_else(|e| panic!("{e}"));
                let mut named = Vec::new();
                walk(&store, true, |item| {
                    if pattern.names(&item) {
                        named.push(item.url().unwrap());
                    }
                    std::ops::ControlFlow::Continue(())
                }).unwrap();
                prop_assert_eq!(&named, &vec![meant.clone()], "{}", text);
            }
        }
        let first = all.first().unwrap();
        let pattern = Pattern::parse(&store.tree, first).unwrap();
        prop_assert_eq!(remove(&store, &pattern, true, false).unwrap().gone.len(), 1);
        prop_assert_eq!(paths(&store).len(), different.len() - 1);
    }
}
