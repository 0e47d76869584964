//! `concord migrate`: the schema, up to this program's version. Safe to repeat.

use super::{Outcome, Run};
use anyhow::{Context, Result};
use sqlx::{ConnectOptions, Connection};

pub(super) async fn run(run: &Run) -> Result<Outcome> {
    run.with_database(async |database| {
        let mut connection = database.options().connect().await.context("cannot connect to the database")?;
        concord_store::MIGRATOR
            .run(&mut connection)
            .await
            .context("the schema could not be brought up to date")?;
        connection.close().await?;
        let migrations = concord_store::MIGRATOR.iter().count();
        if run.json {
            println!("{}", serde_json::json!({ "migrations": migrations }));
        } else {
            println!("schema up to date, {migrations} migrations ({})", database.describe());
        }
        Ok(Outcome::Done)
    })
    .await
}
