//! Making room on a real folder: in which order entries go, whose files never do, and who is safe
//! while it is made.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::sync::Mutex;

use cachy::exchange::{Reply, Step};
use cachy::headers::Headers;
use cachy::prune::{Limits, Pruned, prune};
use cachy::store::Store;
use tempfile::TempDir;

use support::{NOW, exchange, fetch, open, paths, served};

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
            &format!("https://h.example/{name}"),
            &body,
            &[],
            NOW + used * 1000,
        );
    }
    fs::write(folder.path().join("h.example/mine"), vec![1; 100_000]).unwrap();
    fs::write(folder.path().join("h.example/d"), b"edited").unwrap();
    // A hit is a use, also with a clock that says another time.
    assert!(served(&store, "https://h.example/a", &[], NOW + 10_000).is_some());
    let whole = down_to(&store, u64::MAX).left_bytes;
    assert!(whole > 3000 && whole < 4500, "{whole}");
    let dry = Limits {
        max_size: Some(0),
        dry_run: true,
        ..Limits::default()
    };
    let order = [
        "https://h.example/b/deep/er",
        "https://h.example/c",
        "https://h.example/a",
    ];
    assert_eq!(limited(&store, &dry).urls, order);
    assert_eq!(down_to(&store, whole - 1).urls, order[..1]);
    assert!(!folder.path().join("h.example/b").exists());
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
    assert_eq!(paths(&store), ["h.example/d", "h.example/mine"]);
    assert!(down_to(&store, 0).urls.is_empty());
}

#[test]
fn what_would_not_fit_alone_does_not_push_out_the_rest() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fetch(&store, "https://h.example/small", &[1; 100], &[], NOW);
    fetch(
        &store,
        "https://h.example/large",
        &vec![1; 50_000],
        &[],
        NOW + 1000,
    );
    assert_eq!(down_to(&store, 20_000).urls, ["https://h.example/large"]);
    assert_eq!(paths(&store), ["h.example/small"]);
}

#[test]
fn variants_go_together_and_not_without_a_persons_edit() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for language in ["de", "en", "fr"] {
        let asked = [("Accept-Language", language)];
        fetch(
            &store,
            "https://h.example/a",
            language.as_bytes(),
            &asked,
            NOW,
        );
    }
    fetch(&store, "https://h.example/a/below", b"b", &[], NOW + 1000);
    assert_eq!(paths(&store).len(), 4);
    // A hit of a variant is a use of all.
    let english = [("Accept-Language", "en")];
    assert!(served(&store, "https://h.example/a", &english, NOW + 2000).is_some());
    let variant = paths(&store)
        .into_iter()
        .find(|path| path.contains("%~v-"))
        .unwrap();
    let text = fs::read(folder.path().join(&variant)).unwrap();
    fs::write(folder.path().join(&variant), b"edited by me").unwrap();
    assert_eq!(down_to(&store, 0).urls, ["https://h.example/a/below"]);
    assert_eq!(paths(&store).len(), 3);
    // As cachy had it, by its digest.
    fs::write(folder.path().join(&variant), text).unwrap();
    assert_eq!(down_to(&store, 0).urls, ["https://h.example/a"]);
    assert_eq!(paths(&store), Vec::<String>::new());
    assert_eq!(metas(&folder), 0);
    assert!(!folder.path().join("h.example").exists());
}

#[test]
fn what_is_being_read_stays_whichever_process_reads() {
    let folder = TempDir::new().unwrap();
    let (store, other) = (open(folder.path()), open(folder.path()));
    let body = vec![7; 200_000];
    fetch(&store, "https://h.example/a", &body, &[], NOW);
    fetch(&store, "https://h.example/a/b", &body, &[], NOW + 1000);
    let Step::Answer(mut answer) = exchange(&store, "https://h.example/a", &[]).decide(true, NOW)
    else {
        panic!("a hit");
    };
    let pruned = down_to(&other, 0);
    assert_eq!(
        (pruned.urls, pruned.busy),
        (vec!["https://h.example/a/b".to_owned()], 1)
    );
    assert_eq!(paths(&store), ["h.example/a/%~self"]);
    assert!(matches!(
        answer.body.read(10).unwrap(),
        cachy::body::Chunk::Bytes(_)
    ));
    drop(answer);
    assert_eq!(down_to(&other, 0).urls, ["https://h.example/a"]);
}

#[test]
fn who_reads_along_while_it_is_fetched_keeps_it_too() {
    let folder = TempDir::new().unwrap();
    let (store, other) = (open(folder.path()), open(folder.path()));
    let mut first = exchange(&store, "https://h.example/a", &[]);
    assert!(matches!(first.decide(true, NOW), Step::Forward(_)));
    let Reply::Body { body, .. } = first.response(200, &Headers::default(), true, NOW) else {
        panic!("a body");
    };
    first.write(vec![7; 200_000], NOW).unwrap();
    assert!(first.end(true));
    first.commit();
    assert_eq!(down_to(&other, 0).busy, 1);
    // A second reader's lock and the first one's are one as good as the other.
    let Step::Answer(hit) = exchange(&store, "https://h.example/a", &[]).decide(true, NOW) else {
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
    for url in ["https://h.example/a", "https://h.example/b"] {
        fetch(&store, url, b"1", &[], NOW);
    }
    let mut slash = exchange(&store, "https://h.example/dir", &[]);
    assert!(matches!(slash.decide(true, NOW), Step::Forward(_)));
    let mut headers = Headers::default();
    headers.push("Location", "https://h.example/dir/");
    let _ = slash.response(301, &headers, true, NOW);
    assert!(slash.end(true));
    slash.commit();
    slash.close(true);
    fetch(&store, "https://h.example/dir/", b"index", &[], NOW);
    assert_eq!(metas(&folder), 4);
    fs::remove_file(folder.path().join("h.example/a")).unwrap();
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
    fs::remove_file(folder.path().join("h.example/dir/index.html")).unwrap();
    assert_eq!(orphans(0, false), 2);
    assert_eq!(metas(&folder), 1);
    assert_eq!(
        served(&store, "https://h.example/b", &[], NOW).unwrap(),
        b"1"
    );
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
                let url = format!("https://h.example/a/b/c/{n}");
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
    assert!(!folder.path().join("h.example").exists());
    assert_eq!(
        fs::read_dir(folder.path().join(".cachy/tmp"))
            .unwrap()
            .count(),
        0
    );
}
