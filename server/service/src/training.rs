//! Runs of training: what is stored of them, so that whoever looks sees how far they are, and a run that was killed
//! is not forgotten.

use concord_domain::{AccountId, TrainingRun};
use concord_store::{StoreError, training};
use sqlx::PgPool;
use uuid::Uuid;

/// What a process that trains says of its run.
#[derive(Debug, Clone)]
pub struct Diary {
    pool: PgPool,
    id: Uuid,
}

impl Diary {
    /// Begins a run, or goes on with the one of the same folder and data.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(pool: &PgPool, run: &TrainingRun, by: Option<AccountId>) -> Result<Self, StoreError> {
        let mut conn = pool.acquire().await?;
        let id = training::begin(&mut conn, run, by).await?;
        Ok(Self { pool: pool.clone(), id })
    }

    /// The run.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How far it is. A lost message is no reason to stop: the next one says it again.
    pub async fn heard(&self, losses: &[f64], tokens_per_second: f64, seconds_left: f64) {
        let said = match self.pool.acquire().await {
            Ok(mut conn) => {
                training::heard(&mut conn, self.id, losses, tokens_per_second, seconds_left).await
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = said {
            tracing::warn!(run = %self.id, %error, "how far training is was not stored");
        }
    }

    /// How it ended: `stopped`, `done` or `failed`.
    ///
    /// # Errors
    /// The database's.
    pub async fn end(&self, state: &str, why: Option<&str>) -> Result<(), StoreError> {
        let mut conn = self.pool.acquire().await?;
        training::end(&mut conn, self.id, state, why).await
    }
}
