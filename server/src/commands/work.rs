//! `concord work`: workers alone, for a machine beside the one that serves.

use super::{Outcome, Run, serve};
use crate::compose;
use anyhow::Result;
use tokio::sync::watch;

pub(super) async fn run(run: &Run) -> Result<Outcome> {
    run.with_database_until_done(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let (tell_stop, stop) = watch::channel(false);
        let mut loops = serve::start_workers(run, &concord, &stop);
        loops.spawn(database.keep_up(stop.clone()));
        println!("working on {}; Ctrl-C stops after putting the job at hand back", database.describe());
        run.stop.cancelled().await;
        tell_stop.send_replace(true);
        while loops.join_next().await.is_some() {}
        Ok(Outcome::Done)
    })
    .await
}
