use std::io::Write;

use super::*;
use crate::body::{Body, Chunk};
use crate::cache_status::Forwarded;
use crate::flights::{Arrival, Flights, Outcome, Progress, Seat};
use crate::headers::Headers;
use crate::key::Scheme;
use crate::meta::{Record, Stored};
use crate::pipe::Pipe;

const URL: &str = "https://h.example/a";

/// One of two processes.
struct Process {
    tree: Tree,
    abroad: Abroad,
    flights: Arc<Flights>,
}

impl Process {
    fn on(folder: &std::path::Path) -> Self {
        let (tree, _) = Tree::open(folder).unwrap();
        Self {
            abroad: Abroad::enter(&tree),
            tree,
            flights: Arc::default(),
        }
    }

    fn join(&self, url: &str) -> Joined {
        match self.flights.join(url, &[], 1, |_| true) {
            Joined::Lead(lead) => self.abroad.join(&self.tree, lead, Settings::default(), 1),
            seat @ Joined::Seat(_) => seat,
        }
    }

    fn lead(&self, url: &str) -> Lead {
        match self.join(url) {
            Joined::Lead(lead) => lead,
            Joined::Seat(_) => panic!("somebody leads already"),
        }
    }

    fn seat(&self, url: &str) -> Seat {
        match self.join(url) {
            Joined::Seat(seat) => seat,
            Joined::Lead(_) => panic!("nobody leads"),
        }
    }

    fn look(&self) -> Vec<u64> {
        self.abroad.look(&self.tree, 2)
    }
}

fn record() -> Record {
    Record {
        scheme: Scheme::Https,
        status: 200,
        headers: Headers::default(),
        selecting: Vec::new(),
        stored_at: 1,
        initial_age: 0,
        checked_at: None,
        close_delimited: false,
        decoded: false,
        label: false,
        stored: Stored::Slash { body: Vec::new() },
        unsettled: None,
    }
}

fn over(seat: &Seat) -> Outcome {
    match seat.progress() {
        Progress::Over(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_process_leads_and_the_other_learns_how_it_ended() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, two) = (Process::on(folder.path()), Process::on(folder.path()));
    let lead = one.lead(URL);
    let other = two.lead("https://h.example/other");
    let (seat, second) = (two.seat(URL), two.seat(URL));
    assert_eq!(seat.number(), second.number());
    assert!(two.abroad.is_watching() && two.look().is_empty());
    assert!(matches!(seat.progress(), Progress::Asked));
    lead.over(Outcome::Failed("x".into()), false);
    assert_eq!(two.look(), [seat.number()]);
    assert_eq!(over(&seat), Outcome::Failed("x".into()));
    assert!(!two.abroad.is_watching());
    drop((seat, second, other));
    drop(two.lead(URL));
    let left = std::fs::read_dir(folder.path().join(FLIGHTS)).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn a_body_is_read_while_it_grows() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, two) = (Process::on(folder.path()), Process::on(folder.path()));
    let mut lead = one.lead(URL);
    let seat = two.seat(URL);
    let (temp, mut file) = one.tree.temp_file().unwrap();
    file.write_all(b"abc").unwrap();
    let arrival = Arrival {
        record: Arc::new(record()),
        pipe: Arc::new(Pipe::new(1, file.try_clone().ok(), Some(6))),
        why: Forwarded::Stale,
    };
    lead.arriving_in(&arrival, temp.name());
    assert_eq!(two.look(), [seat.number()]);
    let Progress::Arriving(found) = seat.progress() else {
        panic!("nothing arrives");
    };
    assert_eq!((&*found.record, found.why), (&record(), Forwarded::Stale));
    assert_eq!((found.pipe.announced(), found.pipe.written()), (Some(6), 3));
    let mut body = Body::Growing(found.pipe.reader(0, None));
    drop((found, seat));
    let mut read = || match body.read(9).unwrap() {
        Chunk::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(), b"abc");
    file.write_all(b"def").unwrap();
    assert_eq!(two.look().len(), 1);
    assert_eq!(read(), b"de");
    drop(temp);
    lead.over(Outcome::Again, true);
    two.look();
    assert_eq!(read(), b"f");
    assert_eq!(body.read(9).unwrap(), Chunk::End);
}

#[test]
fn who_dies_is_followed() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, two) = (Process::on(folder.path()), Process::on(folder.path()));
    let path = folder.path().join(FLIGHTS);
    let lead = one.lead(URL);
    let seat = two.seat(URL);
    // As it lies there when the system has released the lock of a dead one.
    let name = std::fs::read_dir(&path).unwrap().next().unwrap().unwrap();
    drop(lead);
    std::fs::write(
        name.path(),
        b"{\"over\":{\"outcome\":\"apart\",\"whole\":fa",
    )
    .unwrap();
    assert_eq!(two.look(), [seat.number()]);
    assert_eq!(over(&seat), Outcome::Again);
    drop(seat);
    let three = Process::on(folder.path());
    assert!(!name.path().exists(), "swept");
    std::fs::write(name.path(), b"old").unwrap();
    let lead = two.lead(URL);
    drop(three.seat(URL));
    drop(lead);
}

#[test]
fn nobody_who_wants_it_is_nobody_who_watches() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, two) = (Process::on(folder.path()), Process::on(folder.path()));
    let lead = one.lead(URL);
    drop(two.seat(URL));
    two.look();
    assert!(!two.abroad.is_watching());
    drop(two.seat(URL));
    drop(lead);
}

#[test]
fn other_rules_are_other_fetches() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, two) = (Process::on(folder.path()), Process::on(folder.path()));
    let lead = one.lead(URL);
    let private = Settings {
        private: true,
        ..Settings::default()
    };
    let Joined::Lead(theirs) = two.flights.join(URL, &[], 1, |_| true) else {
        panic!("nobody leads here");
    };
    let joined = two.abroad.join(&two.tree, theirs, private, 1);
    assert!(matches!(joined, Joined::Lead(_)));
    drop(lead);
}

/// `cargo test --release -- --ignored cost_of_a_claim --nocapture`
#[test]
#[ignore = "measures"]
fn cost_of_a_claim() {
    let folder = tempfile::TempDir::new().unwrap();
    let one = Process::on(folder.path());
    let begun = std::time::Instant::now();
    for _ in 0..20_000 {
        assert!(one.abroad.is_alone());
    }
    eprintln!("alone: {:?}", begun.elapsed() / 20_000);
    let begun = std::time::Instant::now();
    for _ in 0..20_000 {
        drop(one.lead(URL));
    }
    eprintln!("claimed: {:?}", begun.elapsed() / 20_000);
}
