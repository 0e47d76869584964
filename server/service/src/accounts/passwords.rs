//! Passwords: argon2id with the crate's defaults (19 MiB, 2 passes), off the async threads and few at a
//! time, so that a crowd at the sign-in page cannot take the machine's memory.

use crate::error::internal;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use concord_domain::Error;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Hashes computed at once.
const AT_ONCE: usize = 2;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Verified where there is no account, so that a guess takes as long there as anywhere.
static DUMMY: LazyLock<Option<String>> = LazyLock::new(|| hash("nobody's password").ok());

/// Hashes and verifies.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The hash to store.
    pub(super) async fn hash(&self, password: String) -> Result<String, Error> {
        if !(12..=200).contains(&password.chars().count()) {
            return Err(Error::invalid("password", "between 12 and 200 characters"));
        }
        self.in_turn(move || hash(&password)).await?.map_err(|error| internal(&error))
    }

    /// Whether the password is the stored one; with no hash it takes as long and is not.
    pub(super) async fn verify(&self, password: &str, stored: Option<String>) -> Result<bool, Error> {
        let password = password.to_owned();
        self.in_turn(move || match stored.as_deref() {
            Some(stored) => verify(&password, stored),
            None => {
                DUMMY.as_deref().map(|dummy| verify(&password, dummy));
                false
            }
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| Error::Busy { retry_after: 5 })?
            .map_err(|error| internal(&error))?;
        tokio::task::spawn_blocking(move || {
            // Held by the work and not by the request: a client that hangs up does not free memory.
            let _turn = turn;
            work()
        })
        .await
        .map_err(|error| internal(&error))
    }
}

fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
}

fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|stored| Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}
