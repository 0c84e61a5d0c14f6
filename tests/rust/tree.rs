//! The tree as a whole, on a real folder: what people mean, in which order entries go, whose files
//! never do, what is put and taken away while others use it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use cachy::exchange::{Exchange, Reply, Settings, Step};
use cachy::headers::Headers;
use cachy::key::Target;
use cachy::last_use;
use cachy::layout::path_of;
use cachy::meta::Meta;
use cachy::pattern::Pattern;
use cachy::prune::{Limits, Pruned, prune};
use cachy::removal::remove;
use cachy::request::Request;
use cachy::store::Store;
use cachy::survey::{Whose, walk};
use cachy::upload::Upload;
use cachy::verify::{Verdict, verify};
use cachy::way::Way;
use proptest::prelude::*;
use tempfile::TempDir;

const NOW: i64 = 1_700_000_000_000;

fn open(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open(folder).unwrap())
}

fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}

fn exchange(store: &Arc<Store>, url: &str, fields: &[(&str, &str)]) -> Exchange {
    let target = target(url);
    let fields = fields.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    let request = Request {
        method: "GET".into(),
        scheme: target.scheme(),
        host: target.host().into(),
        port: target.port(),
        path: target.path().into(),
        headers: Headers(fields.collect()),
        authority: None,
        sni: None,
        way: Way::Named,
        special: false,
        multiplexed: false,
        old: false,
    };
    Exchange::new(Arc::clone(store), Settings::default(), request)
}

/// Fetches a URL that is missing, and says that it was last used at `used`.
fn fetch(store: &Arc<Store>, url: &str, body: &[u8], asked: &[(&str, &str)], used: i64) {
    let mut exchange = exchange(store, url, asked);
    assert!(
        matches!(exchange.decide(true, NOW), Step::Forward(_)),
        "{url}"
    );
    let mut headers = Headers::default();
    if !asked.is_empty() {
        headers.push("Vary", "Accept-Language");
    }
    let reply = exchange.response(200, &headers, true, NOW);
    assert!(matches!(reply, Reply::Body { .. }));
    exchange.write(body, NOW).unwrap();
    assert!(exchange.end(true));
    exchange.commit();
    exchange.close(true);
    use_at(store, used);
}

/// Everything that was just stored was last used then.
fn use_at(store: &Store, used: i64) {
    for folder in fs::read_dir(store.tree.path(".cachy/meta")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = fs::File::options()
                .append(true)
                .open(file.unwrap().path())
                .unwrap();
            let time = file.metadata().unwrap().mtime();
            // Later than any time that a test says.
            if time > NOW / 1000 + 1_000_000 {
                let at = UNIX_EPOCH + Duration::from_millis(used.try_into().unwrap());
                file.set_modified(at).unwrap();
            }
        }
    }
}

/// A whole answer from the tree, or none.
fn served(store: &Arc<Store>, url: &str, asked: &[(&str, &str)], now: i64) -> Option<Vec<u8>> {
    match exchange(store, url, asked).decide(true, now) {
        Step::Answer(mut answer) if answer.status == 200 => {
            let mut all = Vec::new();
            while let cachy::body::Chunk::Bytes(bytes) = answer.body.read(1 << 20).unwrap() {
                all.extend(bytes);
            }
            Some(all)
        }
        _ => None,
    }
}

fn limited(store: &Store, limits: &Limits) -> Pruned {
    prune(store, limits, NOW, &|| false).unwrap()
}

fn down_to(store: &Store, max_size: u64) -> Pruned {
    let limits = Limits {
        max_size: Some(max_size),
        ..Limits::default()
    };
    limited(store, &limits)
}

fn paths(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    walk(store, true, |item| {
        found.push(item.path.as_str().to_owned());
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    found
}

fn metas(folder: &TempDir) -> usize {
    let folders = fs::read_dir(folder.path().join(".cachy/meta")).unwrap();
    folders
        .map(|f| fs::read_dir(f.unwrap().path()).unwrap().count())
        .sum()
}

#[test]
fn the_least_recently_used_goes_first_and_a_persons_file_never() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let body = [7; 1000];
    for (name, used) in [("a", 3), ("b/deep/er", 1), ("c", 4), ("d", 2)] {
        fetch(
            &store,
            &format!("https://h/{name}"),
            &body,
            &[],
            NOW + used * 1000,
        );
    }
    fs::write(folder.path().join("h/mine"), vec![1; 100_000]).unwrap();
    fs::write(folder.path().join("h/d"), b"edited").unwrap();
    // A hit is a use, also with a clock that says another time.
    assert!(served(&store, "https://h/a", &[], NOW + 10_000).is_some());
    let whole = down_to(&store, u64::MAX).left_bytes;
    assert!(whole > 3000 && whole < 4500, "{whole}");
    let dry = Limits {
        max_size: Some(0),
        dry_run: true,
        ..Limits::default()
    };
    let order = ["https://h/b/deep/er", "https://h/c", "https://h/a"];
    assert_eq!(limited(&store, &dry).urls, order);
    assert_eq!(down_to(&store, whole - 1).urls, order[..1]);
    assert!(!folder.path().join("h/b").exists());
    let since = Limits {
        unused_since: Some(NOW + 10_000),
        ..Limits::default()
    };
    assert_eq!(limited(&store, &since).urls, order[1..2]);
    let last = down_to(&store, 0);
    assert_eq!(
        (last.urls.as_slice(), last.left_bytes),
        (
            &order[2..]
                .iter()
                .map(|s| (*s).to_owned())
                .collect::<Vec<_>>()[..],
            0
        )
    );
    assert_eq!(paths(&store), ["h/d", "h/mine"]);
    assert!(down_to(&store, 0).urls.is_empty());
}

#[test]
fn what_would_not_fit_alone_does_not_push_out_the_rest() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fetch(&store, "https://h/small", &[1; 100], &[], NOW);
    fetch(&store, "https://h/large", &vec![1; 50_000], &[], NOW + 1000);
    assert_eq!(down_to(&store, 20_000).urls, ["https://h/large"]);
    assert_eq!(paths(&store), ["h/small"]);
}

#[test]
fn variants_go_together_and_not_without_a_persons_edit() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for language in ["de", "en", "fr"] {
        let asked = [("Accept-Language", language)];
        fetch(&store, "https://h/a", language.as_bytes(), &asked, NOW);
    }
    fetch(&store, "https://h/a/below", b"b", &[], NOW + 1000);
    assert_eq!(paths(&store).len(), 4);
    // A hit of a variant is a use of all.
    let english = [("Accept-Language", "en")];
    assert!(served(&store, "https://h/a", &english, NOW + 2000).is_some());
    let variant = paths(&store)
        .into_iter()
        .find(|path| path.contains("%~v-"))
        .unwrap();
    let text = fs::read(folder.path().join(&variant)).unwrap();
    fs::write(folder.path().join(&variant), b"edited by me").unwrap();
    assert_eq!(down_to(&store, 0).urls, ["https://h/a/below"]);
    assert_eq!(paths(&store).len(), 3);
    // As cachy had it, by its digest.
    fs::write(folder.path().join(&variant), text).unwrap();
    assert_eq!(down_to(&store, 0).urls, ["https://h/a"]);
    assert_eq!(paths(&store), Vec::<String>::new());
    assert_eq!(metas(&folder), 0);
    assert!(!folder.path().join("h").exists());
}

#[test]
fn what_is_being_read_stays_whichever_process_reads() {
    let folder = TempDir::new().unwrap();
    let (store, other) = (open(folder.path()), open(folder.path()));
    let body = vec![7; 200_000];
    fetch(&store, "https://h/a", &body, &[], NOW);
    fetch(&store, "https://h/a/b", &body, &[], NOW + 1000);
    let Step::Answer(mut answer) = exchange(&store, "https://h/a", &[]).decide(true, NOW) else {
        panic!("a hit");
    };
    let pruned = down_to(&other, 0);
    assert_eq!(
        (pruned.urls, pruned.busy),
        (vec!["https://h/a/b".to_owned()], 1)
    );
    assert_eq!(paths(&store), ["h/a/%~self"]);
    assert!(matches!(
        answer.body.read(10).unwrap(),
        cachy::body::Chunk::Bytes(_)
    ));
    drop(answer);
    assert_eq!(down_to(&other, 0).urls, ["https://h/a"]);
}

#[test]
fn who_reads_along_while_it_is_fetched_keeps_it_too() {
    let folder = TempDir::new().unwrap();
    let (store, other) = (open(folder.path()), open(folder.path()));
    let mut first = exchange(&store, "https://h/a", &[]);
    assert!(matches!(first.decide(true, NOW), Step::Forward(_)));
    let Reply::Body { body, .. } = first.response(200, &Headers::default(), true, NOW) else {
        panic!("a body");
    };
    first.write(&vec![7; 200_000], NOW).unwrap();
    assert!(first.end(true));
    first.commit();
    assert_eq!(down_to(&other, 0).busy, 1);
    // A second reader's lock and the first one's are one as good as the other.
    let Step::Answer(hit) = exchange(&store, "https://h/a", &[]).decide(true, NOW) else {
        panic!("a hit");
    };
    first.close(true);
    drop((body, first));
    assert_eq!(down_to(&other, 0).busy, 1);
    drop(hit);
    assert_eq!(down_to(&other, 0).entries, 1);
}

#[test]
fn records_without_a_file_go_and_what_a_slash_needs_stays() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for url in ["https://h/a", "https://h/b"] {
        fetch(&store, url, b"1", &[], NOW);
    }
    let mut slash = exchange(&store, "https://h/dir", &[]);
    assert!(matches!(slash.decide(true, NOW), Step::Forward(_)));
    let mut headers = Headers::default();
    headers.push("Location", "https://h/dir/");
    let _ = slash.response(301, &headers, true, NOW);
    assert!(slash.end(true));
    slash.commit();
    slash.close(true);
    fetch(&store, "https://h/dir/", b"index", &[], NOW);
    assert_eq!(metas(&folder), 4);
    fs::remove_file(folder.path().join("h/a")).unwrap();
    let orphans = |after, dry_run| {
        // Long after all of it was made.
        let limits = Limits {
            orphans_after: after,
            dry_run,
            ..Limits::default()
        };
        prune(&store, &limits, NOW * 2, &|| false).unwrap().orphans
    };
    assert_eq!(orphans(NOW * 2, false), 0);
    assert_eq!(
        (orphans(0, true), orphans(0, false), orphans(0, false)),
        (1, 1, 0)
    );
    assert_eq!(metas(&folder), 3);
    fs::remove_file(folder.path().join("h/dir/index.html")).unwrap();
    assert_eq!(orphans(0, false), 2);
    assert_eq!(metas(&folder), 1);
    assert_eq!(served(&store, "https://h/b", &[], NOW).unwrap(), b"1");
}

/// What the log says.
struct Said(Mutex<Vec<String>>);

static SAID: Said = Said(Mutex::new(Vec::new()));

impl log::Log for Said {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn who_stores_into_a_folder_that_just_went_makes_it_anew() {
    log::set_logger(&SAID).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let folder = TempDir::new().unwrap();
    let stores = [open(folder.path()), open(folder.path())];
    std::thread::scope(|scope| {
        let hand = scope.spawn(|| {
            for n in 0..100 {
                let url = format!("https://h/a/b/c/{n}");
                fetch(&stores[0], &url, b"1", &[], NOW);
            }
        });
        while !hand.is_finished() {
            down_to(&stores[1], 0);
        }
    });
    let here = folder.path().to_str().unwrap();
    let said = SAID.0.lock().unwrap();
    let said: Vec<_> = said.iter().filter(|line| line.contains(here)).collect();
    assert!(said.is_empty(), "{said:?}");
    down_to(&stores[1], 0);
    assert_eq!(paths(&stores[0]), Vec::<String>::new());
    assert!(!folder.path().join("h").exists());
    assert_eq!(
        fs::read_dir(folder.path().join(".cachy/tmp"))
            .unwrap()
            .count(),
        0
    );
}

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
    let begin = |force| Upload::begin(Arc::clone(&store), target(url), force);
    let mut upload = begin(false).unwrap();
    upload.write(b"half").unwrap();
    drop(upload);
    let german = [("Accept-Language", "de")];
    assert_eq!(served(&store, url, &german, NOW).unwrap(), b"de");
    let mut upload = begin(false).unwrap();
    upload.write(b"mi").unwrap();
    upload.write(b"ne").unwrap();
    assert_eq!(upload.commit().unwrap().as_str(), "h/a");
    for language in ["de", "en", "fr"] {
        let asked = [("Accept-Language", language)];
        assert_eq!(served(&store, url, &asked, NOW).unwrap(), b"mine");
    }
    assert_eq!(paths(&store), ["h/a"]);
    let exists =
        |error: &cachy::error::Error| error.kind() == Some(std::io::ErrorKind::AlreadyExists);
    assert!(begin(false).is_err_and(|error| exists(&error)));
    // One that began before the other file was there.
    fs::remove_file(folder.path().join("h/a")).unwrap();
    let upload = begin(false).unwrap();
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
            let mut upload = Upload::begin(Arc::clone(&store), target(url), true).unwrap();
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
