//! What is remembered of origins for seconds: which one is dead.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::meta::Millis;

/// How long an origin that could not be reached counts as dead.
const DEAD: Millis = 10_000;

/// Origins that could not be reached.
#[derive(Debug, Default)]
pub struct Origins(Mutex<HashMap<String, Millis>>);

impl Origins {
    /// Whether the origin (`https://host:port`) could not be reached a moment ago.
    #[must_use]
    pub fn is_dead(&self, origin: &str, now: Millis) -> bool {
        let since = self.0.lock().get(origin).copied();
        since.is_some_and(|since| (since..since + DEAD).contains(&now))
    }

    /// Whether none failed.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// It could not be reached.
    pub fn failed(&self, origin: &str, now: Millis) {
        let mut dead = self.0.lock();
        dead.retain(|_, since| (*since..*since + DEAD).contains(&now));
        dead.insert(origin.to_owned(), now);
    }

    /// Somebody else found at that time that it could not be reached.
    pub fn note(&self, origin: &str, at: Millis) {
        let mut dead = self.0.lock();
        let since = dead.entry(origin.to_owned()).or_insert(at);
        *since = at.max(*since);
    }

    /// It answered. Returns whether it counted as dead.
    pub fn answered(&self, origin: &str) -> bool {
        let mut dead = self.0.lock();
        !dead.is_empty() && dead.remove(origin).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_for_a_while() {
        let origins = Origins::default();
        origins.failed("https://h", 1000);
        assert!(origins.is_dead("https://h", 1000));
        assert!(origins.is_dead("https://h", 10_999));
        assert!(!origins.is_dead("https://h", 11_000));
        assert!(!origins.is_dead("https://h", 0));
        assert!(!origins.is_dead("https://i", 1000));
        assert!(origins.answered("https://h") && !origins.answered("https://h"));
        assert!(!origins.is_dead("https://h", 1000));
        origins.note("https://h", 2000);
        origins.note("https://h", 1000);
        assert!(origins.is_dead("https://h", 11_500));
    }
}
