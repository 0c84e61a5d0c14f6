//! Who is fetching what right now, so that any number of requests for one URL make one upstream
//! request ("collapsed" in RFC 9211): the first leads, the others take a seat and read what it
//! fetches while it grows. Two variants of a URL are two flights.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::abroad::Claim;
use crate::cache_status::Forwarded;
use crate::meta::{Millis, Record};
use crate::pipe::Pipe;
use crate::wake::{Signal, Ticket};

/// A flight of which nothing has come for so long takes nobody else on board: a connection may be
/// dead without anybody being told, and a new one works.
const STUCK: Millis = 30_000;

/// All flights, by URL.
#[derive(Debug, Default)]
pub struct Flights {
    underway: Mutex<HashMap<String, Vec<Arc<Underway>>>>,
    /// How many have ended.
    ended: AtomicU64,
}

/// One request that is on its way upstream for everybody.
#[derive(Debug)]
pub struct Underway {
    url: String,
    /// What of the request is known to select among variants.
    selecting: Vec<(String, String)>,
    seats: AtomicUsize,
    begun: Millis,
    /// When something last came of it.
    moved: AtomicI64,
    progress: Mutex<Progress>,
    /// Rung when that changes.
    news: Signal,
    /// Rung when less of it may be wanted: a seat is given up, a reader leaves or catches up.
    demand: Signal,
}

/// How far it has come.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Nothing has come yet that others could have.
    Asked,
    /// The body is arriving.
    Arriving(Arrival),
    /// It is over.
    Over(Outcome),
}

/// A response whose body is arriving, for those who read along.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What will be stored of it.
    pub record: Arc<Record>,
    /// The body.
    pub pipe: Arc<Pipe>,
    /// Why it is fetched.
    pub why: Forwarded,
}

/// How a flight ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The tree has changed, or nobody wanted it any more: look again.
    Again,
    /// It was an answer for one client alone: everybody asks for himself.
    Apart,
    /// Upstream could not be reached, for this reason.
    Failed(String),
    /// The connection ended without an answer, which says nothing of the next one.
    Unanswered(String),
}

/// What a request finds.
#[derive(Debug)]
pub enum Joined {
    /// Nobody fetches it: this request does.
    Lead(Lead),
    /// Somebody has asked upstream.
    Seat(Seat),
}

/// The right to fetch one URL for everybody; when dropped, the others look again.
#[derive(Debug)]
pub struct Lead {
    all: Arc<Flights>,
    underway: Arc<Underway>,
    /// Against other processes.
    claim: Option<Claim>,
}

/// A place among those who wait for a flight.
#[derive(Debug)]
pub struct Seat(Arc<Underway>);

impl Flights {
    /// Takes a seat in a flight that suits and moves, or begins a new one.
    pub fn join(
        self: &Arc<Self>,
        url: &str,
        selecting: &[(String, String)],
        now: Millis,
        suits: impl Fn(&Underway) -> bool,
    ) -> Joined {
        let mut underway = self.underway.lock();
        let same = underway.entry(url.to_owned()).or_default();
        let suits = |u: &&Arc<Underway>| !u.is_stuck(now) && suits(u);
        if let Some(found) = same.iter().find(suits) {
            return Joined::Seat(Seat::take(found));
        }
        let begun = Arc::new(Underway {
            url: url.to_owned(),
            selecting: selecting.to_vec(),
            seats: AtomicUsize::new(0),
            begun: now,
            moved: AtomicI64::new(now),
            progress: Mutex::new(Progress::Asked),
            news: Signal::default(),
            demand: Signal::default(),
        });
        same.push(Arc::clone(&begun));
        Joined::Lead(Lead {
            all: Arc::clone(self),
            underway: begun,
            claim: None,
        })
    }

    /// How many flights have ended so far. Where that changes between a look at the tree and the lead of
    /// a new flight, the tree may have, too.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether a URL is being fetched.
    #[must_use]
    pub fn has(&self, url: &str) -> bool {
        self.underway.lock().contains_key(url)
    }
}

impl Underway {
    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// What of the request is known to select among variants, names and values.
    #[must_use]
    pub fn selecting(&self) -> &[(String, String)] {
        &self.selecting
    }

    /// When it began.
    #[must_use]
    pub fn begun(&self) -> Millis {
        self.begun
    }

    fn is_stuck(&self, now: Millis) -> bool {
        self.silence(now) >= STUCK
    }

    /// For how long nothing has come of it.
    fn silence(&self, now: Millis) -> Millis {
        now - self.moved.load(Ordering::Relaxed)
    }
}

impl Lead {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.underway.url
    }

    /// What of the request is known to select among variants, names and values.
    #[must_use]
    pub fn selecting(&self) -> &[(String, String)] {
        &self.underway.selecting
    }

    /// It leads for other processes, too.
    pub fn claim(&mut self, claim: Claim) {
        self.claim = Some(claim);
    }

    /// Whether it leads for other processes, too.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.claim.is_some()
    }

    /// Rung when less of it may be wanted.
    #[must_use]
    pub fn demand(&self) -> &Signal {
        &self.underway.demand
    }

    /// A seat in one's own flight.
    #[must_use]
    pub fn seat(&self) -> Seat {
        Seat::take(&self.underway)
    }

    /// How many wait for it.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.underway.seats.load(Ordering::Relaxed)
    }

    /// Whether anybody waits for it, here or in another process.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.seats() > 0 || self.claim.as_ref().is_some_and(Claim::is_watched)
    }

    /// Something has come of it.
    pub fn moved(&self, now: Millis) {
        self.underway.moved.store(now, Ordering::Relaxed);
    }

    /// Whether nothing has come of it for long.
    #[must_use]
    pub fn is_stuck(&self, now: Millis) -> bool {
        self.underway.is_stuck(now)
    }

    /// The body is arriving, for everybody in this process.
    pub fn arriving(&self, arrival: Arrival) {
        *self.underway.progress.lock() = Progress::Arriving(arrival);
        self.underway.news.ring();
    }

    /// The body is arriving in a file of that name, for other processes.
    pub fn arriving_in(&mut self, arrival: &Arrival, file: &str) {
        if let Some(claim) = &mut self.claim {
            claim.arriving(arrival, file);
        }
    }

    /// It is over. `whole`: all of the body has arrived.
    pub fn over(mut self, outcome: Outcome, whole: bool) {
        if let Some(mut claim) = self.claim.take() {
            claim.over(&outcome, whole);
        }
        *self.underway.progress.lock() = Progress::Over(outcome);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // First, so that who leads next in this process can claim it.
        self.claim = None;
        self.all.ended.fetch_add(1, Ordering::Release);
        let mut underway = self.all.underway.lock();
        if let Some(same) = underway.get_mut(&self.underway.url) {
            same.retain(|u| !Arc::ptr_eq(u, &self.underway));
            if same.is_empty() {
                underway.remove(&self.underway.url);
            }
        }
        drop(underway);
        let mut progress = self.underway.progress.lock();
        if !matches!(*progress, Progress::Over(_)) {
            *progress = Progress::Over(Outcome::Again);
        }
        drop(progress);
        // Last: who looks again finds the way free.
        self.underway.news.ring();
    }
}

impl Seat {
    fn take(underway: &Arc<Underway>) -> Self {
        underway.seats.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(underway))
    }

    /// How far it has come, and a ticket that rings when it comes further.
    pub fn progress(&self) -> (Progress, Ticket) {
        let ticket = self.0.news.ticket();
        (self.0.progress(), ticket)
    }

    /// For how long nothing has come of it.
    #[must_use]
    pub fn silence(&self, now: Millis) -> Millis {
        self.0.silence(now)
    }

    #[cfg(test)]
    fn is_in(&self, lead: &Lead) -> bool {
        Arc::ptr_eq(&self.0, &lead.underway)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats.fetch_sub(1, Ordering::Relaxed);
        self.0.demand.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(flights: &Arc<Flights>, url: &str) -> Lead {
        match flights.join(url, &[], 0, |_| true) {
            Joined::Lead(lead) => lead,
            Joined::Seat(_) => panic!("somebody leads already"),
        }
    }

    fn seat(flights: &Arc<Flights>, url: &str) -> Seat {
        match flights.join(url, &[], 0, |_| true) {
            Joined::Seat(seat) => seat,
            Joined::Lead(_) => panic!("nobody leads"),
        }
    }

    #[test]
    fn one_leads_and_the_others_wait() {
        let flights = Arc::new(Flights::default());
        let first = lead(&flights, "u");
        let other = lead(&flights, "v");
        let (second, third) = (seat(&flights, "u"), seat(&flights, "u"));
        assert_eq!((first.seats(), other.seats()), (2, 0));
        assert!(second.is_in(&first));
        drop(third);
        assert_eq!(first.seats(), 1);
        let (progress, mut ticket) = second.progress();
        assert!(matches!(progress, Progress::Asked) && !ticket.has_rung());
        first.over(Outcome::Failed("x".into()), false);
        assert!(ticket.has_rung());
        let failed = Outcome::Failed("x".into());
        assert!(matches!(second.progress().0, Progress::Over(o) if o == failed));
        drop(lead(&flights, "u"));
    }

    #[test]
    fn who_gives_up_leaves_it_to_the_next() {
        let flights = Arc::new(Flights::default());
        let first = lead(&flights, "u");
        let second = seat(&flights, "u");
        let (_, mut ticket) = second.progress();
        drop(first);
        assert!(ticket.has_rung());
        assert!(matches!(
            second.progress().0,
            Progress::Over(Outcome::Again)
        ));
        drop(lead(&flights, "u"));
        assert!(flights.underway.lock().is_empty());
    }

    #[test]
    fn who_leads_learns_that_somebody_left() {
        let flights = Arc::new(Flights::default());
        let first = lead(&flights, "u");
        let second = seat(&flights, "u");
        let mut ticket = first.demand().ticket();
        assert!(first.is_awaited() && !ticket.has_rung());
        drop(second);
        assert!(ticket.has_rung() && !first.is_awaited());
    }

    #[test]
    fn two_variants_are_two_flights() {
        let flights = Arc::new(Flights::default());
        let first = lead(&flights, "u");
        let Joined::Lead(second) = flights.join("u", &[], 0, |_| false) else {
            panic!("another variant is another flight");
        };
        assert!(!Arc::ptr_eq(&first.underway, &second.underway));
        drop(first);
        drop(seat(&flights, "u"));
        drop(second);
    }

    #[test]
    fn a_flight_that_is_stuck_takes_nobody_on_board() {
        let flights = Arc::new(Flights::default());
        let at = |now| flights.join("u", &[], now, |_| true);
        let Joined::Lead(first) = at(1000) else {
            panic!("nobody leads");
        };
        assert!(matches!(at(30_999), Joined::Seat(_)));
        first.moved(5000);
        assert!(matches!(at(34_999), Joined::Seat(_)));
        assert!(!first.is_stuck(34_999) && first.is_stuck(35_000));
        let Joined::Lead(second) = at(35_000) else {
            panic!("the first is stuck");
        };
        assert!(matches!(at(35_000), Joined::Seat(seat) if seat.is_in(&second)));
    }
}
