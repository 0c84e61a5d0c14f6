//! A run of the client: connections that go through URLs at the same time.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::content::Content;
use crate::report::{Failure, Measured};
use crate::streams;
use crate::url::Url;
use crate::wire::{Connection, Route, monotonic};

/// When a run is over.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// For that time; each connection asks once at least.
    Time(Duration),
    /// After that many requests of all connections together.
    Count(usize),
    /// When each connection has asked for every URL.
    Each,
}

/// What to do.
#[derive(Debug)]
pub struct Walk {
    pub route: Route,
    pub config: Arc<ClientConfig>,
    pub urls: Vec<Url>,
    pub connections: usize,
    pub until: Until,
    /// Whether each request gets a connection of its own, which then counts to its time.
    pub fresh: bool,
    /// Requests at a time on each connection, over HTTP/2; None: HTTP/1.1.
    pub streams: Option<usize>,
}

/// What all connections share.
pub struct Shared<'a> {
    pub walk: &'a Walk,
    pub content: Content,
    pub ready: Barrier,
    next: AtomicUsize,
    failed: AtomicBool,
}

/// What one connection asks for.
pub struct Course<'a> {
    shared: &'a Shared<'a>,
    offset: usize,
    start: Instant,
    turn: Cell<usize>,
}

impl Walk {
    /// Does it. The first failure ends it for all.
    pub fn run(&self) -> Measured {
        let shared = Shared {
            walk: self,
            content: Content::new(),
            ready: Barrier::new(self.connections + 1),
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|number| {
                    let shared = &shared;
                    scope.spawn(move || match self.streams {
                        None => shared.go(number),
                        Some(streams) => streams::go(shared, number, streams),
                    })
                })
                .collect();
            shared.ready.wait();
            let start = Instant::now();
            let mut all = Measured::default();
            for each in threads {
                match each.join() {
                    Ok(one) => all.add(one),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all.took = start.elapsed();
            all
        })
    }
}

impl<'a> Course<'a> {
    /// The next URL; None where it is over.
    pub fn next(&self) -> Option<&'a Url> {
        let Walk { urls, until, .. } = self.shared.walk;
        let turn = self.turn.get();
        if self.shared.failed.load(Ordering::Relaxed) {
            return None;
        }
        let place = match *until {
            Until::Time(limit) if turn > 0 && self.start.elapsed() >= limit => return None,
            Until::Each if turn == urls.len() => return None,
            Until::Time(_) | Until::Each => self.offset + turn,
            Until::Count(count) => match self.shared.next.fetch_add(1, Ordering::Relaxed) {
                next if next < count => next,
                _ => return None,
            },
        };
        self.turn.set(turn + 1);
        Some(&urls[place % urls.len()])
    }
}

impl Shared<'_> {
    /// Where a connection begins.
    pub fn offset(&self, number: usize) -> usize {
        number * self.walk.urls.len() / self.walk.connections
    }

    /// From there on.
    pub fn course(&self, number: usize, start: Instant) -> Course<'_> {
        Course {
            shared: self,
            offset: self.offset(number),
            start,
            turn: Cell::new(0),
        }
    }

    /// One connection, or one after the other.
    fn go(&self, number: usize) -> Measured {
        let mut measured = Measured::default();
        let mut open = None;
        if !self.walk.fresh {
            let url = &self.walk.urls[self.offset(number)];
            match Connection::open(self.walk.route, url, &self.walk.config) {
                Ok(connection) => open = Some((connection, url)),
                Err(error) => self.fail(&mut measured, url, &error.into()),
            }
        }
        self.ready.wait();
        let course = self.course(number, Instant::now());
        while let Some(url) = course.next() {
            if let Err(error) = self.ask(&mut open, url, &mut measured) {
                self.fail(&mut measured, url, &error);
            }
        }
        measured
    }

    fn ask<'a>(
        &'a self,
        open: &mut Option<(Connection, &'a Url)>,
        url: &'a Url,
        measured: &mut Measured,
    ) -> Result<(), Failure> {
        let body = self
            .content
            .body(&url.host, &url.path)
            .ok_or(Failure::NoBody)?;
        let start = monotonic();
        let kept = open
            .take()
            .filter(|(_, to)| !self.walk.fresh && to.authority == url.authority);
        let mut connection = match kept {
            Some((connection, _)) => connection,
            None => Connection::open(self.walk.route, url, &self.walk.config)?,
        };
        let answered = connection.get(url, &body)?;
        measured.note(start, answered.first, monotonic(), body.length);
        if !answered.close {
            *open = Some((connection, url));
        }
        Ok(())
    }

    /// Ends it for all.
    pub fn fail(&self, measured: &mut Measured, url: &Url, error: &Failure) {
        self.failed.store(true, Ordering::Relaxed);
        measured
            .failures
            .push(format!("https://{}{}: {error}", url.authority, url.path));
    }
}
