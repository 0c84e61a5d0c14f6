//! A run of the client: connections that go through URLs at the same time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::content::Content;
use crate::report::{Failure, Measured};
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
}

/// What all connections share.
struct Shared<'a> {
    walk: &'a Walk,
    content: Content,
    ready: Barrier,
    next: AtomicUsize,
    failed: AtomicBool,
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
                    scope.spawn(move || shared.go(number))
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

impl Shared<'_> {
    /// One connection, or one after the other.
    fn go(&self, number: usize) -> Measured {
        let urls = &self.walk.urls;
        let offset = number * urls.len() / self.walk.connections;
        let mut measured = Measured::default();
        let mut open = None;
        if !self.walk.fresh {
            let url = &urls[offset];
            match Connection::open(self.walk.route, url, &self.walk.config) {
                Ok(connection) => open = Some((connection, url)),
                Err(error) => self.fail(&mut measured, url, &error.into()),
            }
        }
        self.ready.wait();
        let start = Instant::now();
        let mut turn = 0;
        while !self.failed.load(Ordering::Relaxed) {
            let place = match self.walk.until {
                Until::Time(limit) if turn > 0 && start.elapsed() >= limit => break,
                Until::Each if turn == urls.len() => break,
                Until::Time(_) | Until::Each => offset + turn,
                Until::Count(count) => match self.next.fetch_add(1, Ordering::Relaxed) {
                    next if next < count => next,
                    _ => break,
                },
            };
            turn += 1;
            let url = &urls[place % urls.len()];
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

    fn fail(&self, measured: &mut Measured, url: &Url, error: &Failure) {
        self.failed.store(true, Ordering::Relaxed);
        measured
            .failures
            .push(format!("https://{}{}: {error}", url.authority, url.path));
    }
}
