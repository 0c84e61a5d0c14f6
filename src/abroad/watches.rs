//! All watches of this process, and the thread that looks at them: it lives as long as there are any.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Held;
use super::watch::{Ending, Seen, Watch};
use crate::flights::{Lead, Seat};
use crate::freshness::clock;
use crate::meta::Millis;
use crate::tree::Tree;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(5);

/// What is being watched.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<Looking>);

#[derive(Debug, Default)]
struct Looking {
    watches: Vec<Watch>,
    /// A thread looks at them. It ends under the lock under which it finds none.
    runs: bool,
}

impl Watches {
    /// Watches the claim of another process. Gives the lead back where that can't be done.
    pub(super) fn begin(
        self: &Arc<Self>,
        tree: &Arc<Tree>,
        claim: File,
        held: Held,
        lead: Lead,
        now: Millis,
    ) -> Result<Seat, Lead> {
        let mut looking = self.0.lock();
        if !(looking.runs || self.run(tree)) {
            return Err(lead);
        }
        looking.runs = true;
        let (watch, seat) = Watch::begin(claim, held, lead, now)?;
        looking.watches.push(watch);
        Ok(seat)
    }

    /// Begins to look. The thread takes the lock first, which the caller has.
    fn run(self: &Arc<Self>, tree: &Arc<Tree>) -> bool {
        let (all, tree) = (Arc::clone(self), Arc::clone(tree));
        let looks = move || {
            while all.look(&tree) {
                std::thread::sleep(INTERVAL);
            }
        };
        let thread = std::thread::Builder::new().name("cachy-watches".into());
        thread.spawn(looks).is_ok()
    }

    /// Looks once at each. Returns whether there are any left.
    fn look(&self, tree: &Tree) -> bool {
        let mut looking = self.0.lock();
        let (now, mut endings) = (clock(), Vec::new());
        looking
            .watches
            .retain_mut(|watch| match watch.look(tree, now) {
                Seen::Underway => true,
                Seen::Over(ending) => {
                    endings.extend(ending);
                    false
                }
            });
        looking.runs = !looking.watches.is_empty();
        let runs = looking.runs;
        drop(looking);
        endings.into_iter().for_each(Ending::tell);
        runs
    }
}
