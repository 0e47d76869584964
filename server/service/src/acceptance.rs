//! Letting certificates act on what was judged before they were issued: a job, in small transactions.

use crate::jobs::JobError;
use concord_store::acceptance;
use serde::Deserialize;
use sqlx::PgPool;

/// What an `accept` job works on.
#[derive(Debug, Clone, Deserialize)]
pub struct AcceptArgs {
    task: String,
}

/// Goes through the samples of a task that nobody has been given yet.
pub(crate) async fn run(pool: &PgPool, args: &AcceptArgs) -> Result<(), JobError> {
    let mut after = None;
    loop {
        let mut tx = pool.begin().await?;
        let last = acceptance::sweep(&mut tx, &args.task, after).await?;
        tx.commit().await?;
        let Some(last) = last else { return Ok(()) };
        after = Some(last);
    }
}
