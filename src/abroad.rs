//! Other processes on the same tree: single flight holds across them, too.
//!
//! Who fetches for everybody holds a *claim* ([`claim`]): a file under `.cachy/flights`, named by a hash
//! of the URL, with an exclusive `flock`, which the system releases when the process dies. Into it go the
//! head of the response and the name of the growing file, as soon as others may read that, and at last
//! how it ended. Another process that wants the same *watches* the claim ([`watch`]): there it is a
//! flight like others, of which the watch leads, and which everybody takes a seat in.
//!
//! That an origin is dead is told to the others, too ([`dead`]).
//!
//! A process that is alone on its tree ([`here`]) claims nothing but bodies that take long, for those
//! who come later; so a small miss pays a call of the system or two.

mod claim;
mod dead;
mod here;
mod news;
mod watch;
mod watches;

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

pub use self::claim::Claim;
use self::claim::Claimed;
use self::dead::Journal;
use self::here::Here;
use self::watches::Watches;
use crate::exchange::Settings;
use crate::flights::{Joined, Lead};
use crate::hex::hex;
use crate::meta::Millis;
use crate::tree::Tree;

/// Where claims lie.
const FLIGHTS: &str = ".cachy/flights";
/// A body of more bytes than this is claimed also by who is alone.
const LONG: u64 = 1 << 20;

/// The other processes.
#[derive(Debug, Default)]
pub struct Abroad {
    here: Here,
    /// What this process claims or watches: a flight that is stuck is led again without a claim.
    held: Arc<Mutex<HashSet<String>>>,
    watches: Arc<Watches>,
    journal: Journal,
}

/// Keeps a key among those that this process has to do with.
#[derive(Debug)]
struct Held {
    key: String,
    all: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}

impl Abroad {
    /// Tells the others that this process uses the tree, and removes what dead ones left.
    #[must_use]
    pub fn enter(tree: &Tree) -> Self {
        claim::sweep(tree);
        Self {
            here: Here::enter(tree),
            ..Self::default()
        }
    }

    /// Whether no other process uses the tree.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.here.is_alone()
    }

    /// Makes sure that nobody else fetches what `lead` is about to fetch; where somebody does, its
    /// flight is that one's, and this is a seat in it.
    pub fn join(
        &self,
        tree: &Arc<Tree>,
        mut lead: Lead,
        settings: Settings,
        now: Millis,
    ) -> Joined {
        let Some(held) = self.hold(key(&lead, settings)) else {
            return Joined::Lead(lead);
        };
        match Claim::take(tree, held) {
            Claimed::Ours(claim) => {
                lead.claim(claim);
                Joined::Lead(lead)
            }
            Claimed::Theirs(file, held) => match self.watches.begin(tree, file, held, lead, now) {
                Ok(seat) => Joined::Seat(seat),
                Err(lead) => Joined::Lead(lead),
            },
            Claimed::Nothing => Joined::Lead(lead),
        }
    }

    /// Claims what is being fetched already, where it takes long; `announced`: its length in bytes.
    pub fn claim_late(
        &self,
        tree: &Tree,
        lead: &mut Lead,
        settings: Settings,
        announced: Option<u64>,
    ) {
        if lead.is_claimed() || announced.is_some_and(|length| length <= LONG) {
            return;
        }
        if let Some(held) = self.hold(key(lead, settings))
            && let Claimed::Ours(claim) = Claim::take(tree, held)
        {
            lead.claim(claim);
        }
    }

    fn hold(&self, key: String) -> Option<Held> {
        let all = Arc::clone(&self.held);
        let new = all.lock().insert(key.clone());
        new.then_some(Held { key, all })
    }
}

/// What is the same fetch: of proxies that store by different rules, none is.
fn key(lead: &Lead, settings: Settings) -> String {
    let mut hash = Sha256::new();
    hash.update(format!(
        "{:?} {}\n{}\n",
        settings.policy,
        settings.private,
        lead.url()
    ));
    for (name, value) in lead.selecting() {
        hash.update(format!("{name}: {value}\n"));
    }
    hex(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests;
