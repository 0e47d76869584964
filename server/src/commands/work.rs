//! `concord work`: workers alone, for a machine beside the one that serves.

use super::{Outcome, Run};
use crate::compose::Shared;
use crate::projects::Projects;
use anyhow::Result;

pub(super) async fn run(run: &Run) -> Result<Outcome> {
    run.all_projects("a worker works for")?;
    run.with_database_until_done(async |database| {
        let (projects, _) = Projects::open(&run.config, database, Shared::new(&run.config)?, ()).await?;
        println!("working on {}; Ctrl-C stops after putting the job at hand back", database.describe());
        projects.keep(run.stop.clone()).await;
        Ok(Outcome::Done)
    })
    .await
}
