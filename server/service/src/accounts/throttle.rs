//! Failed sign-ins, counted by account and by network address in this process: after so many in a quarter of an
//! hour, wait. Accounts that do not exist are counted too, or the refusal would tell which do.

use concord_domain::Error;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures an account may have: nobody types the same password wrong ten times.
const BY_ACCOUNT: usize = 10;
/// Failures an address may have: an office of people stands behind one.
const BY_ADDRESS: usize = 100;
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Keys remembered at most: a flood of invented ones must not take the memory.
const KEYS: usize = 10_000;

/// Recent failures.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    accounts: Mutex<Failures<String>>,
    addresses: Mutex<Failures<IpAddr>>,
}

impl Throttle {
    /// Counts an attempt as failed until it succeeds, so that many at once gain nothing; refuses an account or an
    /// address that failed too often, and says for how long.
    pub(super) fn attempt(&self, email: &str, from: Option<IpAddr>) -> Result<(), Error> {
        self.attempt_of(from)?;
        lock(&self.accounts).attempt(email.to_owned(), BY_ACCOUNT)
    }

    /// The same for an attempt that names no account before it succeeds.
    pub(super) fn attempt_of(&self, from: Option<IpAddr>) -> Result<(), Error> {
        from.map_or(Ok(()), |from| lock(&self.addresses).attempt(network(from), BY_ADDRESS))
    }

    /// Forgets that attempt of the address.
    pub(super) fn succeeded_of(&self, from: Option<IpAddr>) {
        if let Some(from) = from.map(network)
            && let Some(times) = lock(&self.addresses).0.get_mut(&from)
        {
            times.pop();
        }
    }

    /// Forgets the failures of the account that has signed in, and this attempt of the address: its other failures
    /// stay, or an account of one's own would be a licence to guess others'.
    pub(super) fn succeeded(&self, email: &str, from: Option<IpAddr>) {
        lock(&self.accounts).0.remove(email);
        self.succeeded_of(from);
    }
}

/// The times of recent failures by key.
#[derive(Debug)]
struct Failures<K>(HashMap<K, Vec<Instant>>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Failures<K> {
    fn attempt(&mut self, key: K, most: usize) -> Result<(), Error> {
        if self.0.len() >= KEYS {
            self.0.retain(|_, times| times.last().is_some_and(|time| time.elapsed() < WINDOW));
        }
        if self.0.len() >= KEYS && !self.0.contains_key(&key) {
            // The one heard of longest ago goes: a flood of invented keys forgets nobody under attack now.
            let oldest = self.0.iter().min_by_key(|(_, times)| times.last().copied());
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
        let times = self.0.entry(key).or_default();
        times.retain(|time| time.elapsed() < WINDOW);
        if let Some(oldest) = times.first().filter(|_| times.len() >= most) {
            let wait = WINDOW.saturating_sub(oldest.elapsed()).as_secs() + 1;
            return Err(Error::Busy { retry_after: u32::try_from(wait).unwrap_or(u32::MAX) });
        }
        times.push(Instant::now());
        Ok(())
    }
}

/// Whoever has an IPv6 address has the 2⁶⁴ of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn lock<T>(failures: &Mutex<T>) -> MutexGuard<'_, T> {
    failures.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_guess_at_an_account_waits() {
        let throttle = Throttle::default();
        for _ in 0..BY_ACCOUNT {
            assert_eq!(throttle.attempt("a@b", None), Ok(()));
        }
        assert!(matches!(throttle.attempt("a@b", None), Err(Error::Busy { retry_after: 1..=901 })));
        assert_eq!(throttle.attempt("c@d", None), Ok(()));
        throttle.succeeded("a@b", None);
        assert_eq!(throttle.attempt("a@b", None), Ok(()));
    }

    #[test]
    fn an_address_that_guesses_at_many_accounts_waits_though_it_signs_in_itself() {
        let throttle = Throttle::default();
        let from = |text: &str| Some(text.parse().expect("an address"));
        for k in 0..BY_ADDRESS {
            assert_eq!(throttle.attempt(&format!("{k}@b"), from("2001:db8::1")), Ok(()));
            assert_eq!(throttle.attempt("own@b", from("192.0.2.1")), Ok(()));
            throttle.succeeded("own@b", from("192.0.2.1"));
        }
        throttle.succeeded("own@b", from("192.0.2.1"));
        assert_eq!(throttle.attempt("x@b", from("192.0.2.1")), Ok(()), "who signs in is not counted");
        let same_network = throttle.attempt("x@b", from("2001:db8::2"));
        assert!(matches!(same_network, Err(Error::Busy { .. })), "{same_network:?}");
        assert_eq!(throttle.attempt("x@b", from("2001:db8:1::2")), Ok(()));
        assert_eq!(
            network("::ffff:192.0.2.1".parse().expect("an address")),
            "192.0.2.1".parse::<IpAddr>().expect("one")
        );
    }

    #[test]
    fn a_flood_of_invented_names_takes_no_memory() {
        let mut failures = Failures::default();
        for k in 0..KEYS + 100 {
            assert_eq!(failures.attempt(k, 1), Ok(()));
        }
        assert_eq!(failures.0.len(), KEYS);
    }
}
