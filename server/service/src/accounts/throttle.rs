//! Sign-in attempts, counted by account in this process: ten failures in a quarter of an hour, then wait.
//! Accounts that do not exist are counted too, or the refusal would tell which do.

use concord_domain::Error;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const FAILURES: usize = 10;
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Addresses remembered at most: a flood of invented ones must not take the memory.
const ADDRESSES: usize = 10_000;

/// Recent failures.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    failures: Mutex<HashMap<String, Vec<Instant>>>,
}

impl Throttle {
    /// Counts an attempt as failed until it succeeds, so that many at once gain nothing; refuses an address
    /// that failed too often, and says for how long.
    pub(super) fn attempt(&self, email: &str) -> Result<(), Error> {
        let mut failures = self.lock();
        if failures.len() >= ADDRESSES {
            failures.retain(|_, times| times.last().is_some_and(|time| time.elapsed() < WINDOW));
        }
        if failures.len() >= ADDRESSES && !failures.contains_key(email) {
            // The one heard of longest ago goes: a flood of invented addresses forgets nobody under attack now.
            let oldest = failures.iter().min_by_key(|(_, times)| times.last().copied());
            if let Some(address) = oldest.map(|(address, _)| address.clone()) {
                failures.remove(&address);
            }
        }
        let times = failures.entry(email.to_owned()).or_default();
        times.retain(|time| time.elapsed() < WINDOW);
        if let Some(oldest) = times.first().filter(|_| times.len() >= FAILURES) {
            let wait = WINDOW.saturating_sub(oldest.elapsed()).as_secs() + 1;
            return Err(Error::Busy { retry_after: u32::try_from(wait).unwrap_or(u32::MAX) });
        }
        times.push(Instant::now());
        Ok(())
    }

    /// Forgets the failures of who has signed in.
    pub(super) fn succeeded(&self, email: &str) {
        self.lock().remove(email);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Instant>>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_guess_waits() {
        let throttle = Throttle::default();
        for _ in 0..FAILURES {
            assert_eq!(throttle.attempt("a@b"), Ok(()));
        }
        assert!(matches!(throttle.attempt("a@b"), Err(Error::Busy { retry_after: 1..=901 })));
        assert_eq!(throttle.attempt("c@d"), Ok(()));
        throttle.succeeded("a@b");
        assert_eq!(throttle.attempt("a@b"), Ok(()));
    }
}
