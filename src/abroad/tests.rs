use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::body::{Body, Chunk};
use crate::cache_status::Forwarded;
use crate::flights::{Arrival, Flights, Outcome, Progress, Seat};
use crate::headers::Headers;
use crate::key::Scheme;
use crate::meta::{Record, Stored};
use crate::pipe::Pipe;
use crate::wake::{Signal, Ticket};

const URL: &str = "https://h.example/a";

/// One of two processes.
struct Process {
    tree: Arc<Tree>,
    abroad: Abroad,
    flights: Arc<Flights>,
}

impl Process {
    fn on(folder: &std::path::Path) -> Self {
        let (tree, _) = Tree::open(folder).unwrap();
        Self {
            abroad: Abroad::enter(&tree),
            tree: Arc::new(tree),
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
        bond: None,
    }
}

/// Waits for a ticket to ring, as somebody does who was told to wait.
fn wait(ticket: Ticket) {
    assert!(ticket.wait(Duration::from_secs(20)), "nobody rang");
}

/// Waits until a seat has news, and gives it.
fn news(seat: &Seat) -> Progress {
    loop {
        match seat.progress() {
            (Progress::Asked, ticket) => wait(ticket),
            (progress, _) => return progress,
        }
    }
}

/// Waits for the end of a flight.
fn over(seat: &Seat) -> Outcome {
    loop {
        match seat.progress() {
            (Progress::Over(outcome), _) => return outcome,
            (_, ticket) => wait(ticket),
        }
    }
}

/// Reads `bytes` of a body, waiting for each piece.
fn read(body: &mut Body, bytes: usize) -> Vec<u8> {
    let mut found = Vec::new();
    while found.len() < bytes {
        match body.read(bytes - found.len()).unwrap() {
            Chunk::Bytes(piece) => found.extend(piece),
            Chunk::Later(ticket) => wait(ticket),
            Chunk::End => panic!("it ends after {found:?}"),
        }
    }
    found
}

#[test]
fn one_process_leads_and_the_other_learns_how_it_ended() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, two) = (Process::on(folder.path()), Process::on(folder.path()));
    let lead = one.lead(URL);
    let other = two.lead("https://h.example/other");
    let (seat, second) = (two.seat(URL), two.seat(URL));
    assert!(matches!(seat.progress().0, Progress::Asked));
    lead.over(Outcome::Failed("x".into()), false);
    for each in [&seat, &second] {
        assert_eq!(over(each), Outcome::Failed("x".into()));
    }
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
        pipe: Arc::new(Pipe::new(Signal::default(), file.try_clone().ok(), Some(6))),
        why: Forwarded::Stale,
    };
    lead.arriving_in(&arrival, temp.name());
    let Progress::Arriving(found) = news(&seat) else {
        panic!("nothing arrives");
    };
    assert_eq!((&*found.record, found.why), (&record(), Forwarded::Stale));
    assert_eq!((found.pipe.announced(), found.pipe.written()), (Some(6), 3));
    let mut body = Body::Growing(found.pipe.reader(0, None));
    drop((found, seat));
    assert_eq!(read(&mut body, 3), b"abc");
    file.write_all(b"def").unwrap();
    assert_eq!(read(&mut body, 2), b"de");
    drop(temp);
    lead.over(Outcome::Again, true);
    assert_eq!(read(&mut body, 1), b"f");
    loop {
        match body.read(9).unwrap() {
            Chunk::Later(ticket) => wait(ticket),
            end => break assert_eq!(end, Chunk::End),
        }
    }
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
    let begun = Instant::now();
    while lead.is_awaited() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it is still watched"
        );
        thread::sleep(Duration::from_millis(1));
    }
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
