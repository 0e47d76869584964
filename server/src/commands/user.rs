//! `concord user`: people in the logs. Deleting one takes a database role that no server has.

use super::{Outcome, Run};
use crate::compose;
use anyhow::{Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use concord_service::privacy;
use serde_json::Value;

/// People in the logs.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Delete a user everywhere, and print the receipt: what was deleted, and which exports, models, backups and
    /// certificates are affected.
    Delete {
        /// The user's key.
        #[arg(required_unless_present = "requested")]
        key: Option<String>,
        /// Everyone whose deletion was asked for over the API, instead.
        #[arg(long, conflicts_with = "key")]
        requested: bool,
        /// The user was imported with --pseudonymise.
        #[arg(long, requires = "key")]
        pseudonymised: bool,
    },
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        let actor = compose::operator();
        let Action::Delete { key, requested, pseudonymised } = args.action;
        let key = match (key, pseudonymised, &run.config.pseudonyms) {
            (Some(key), true, Some(pseudonyms)) => Some(pseudonyms.of(&key)),
            (_, true, None) => {
                bail!("--pseudonymised needs the key of the import: set CONCORD_PSEUDONYM_KEY")
            }
            (key, ..) => key,
        };
        let receipts = match key {
            Some(key) => vec![privacy::delete(&pool, &actor, &key).await?],
            None if requested => privacy::delete_requested(&pool, &actor).await?,
            None => bail!("say which user"),
        };
        receipts.iter().for_each(|receipt| print(receipt, run.json));
        Ok(Outcome::Done)
    })
    .await
}

fn print(receipt: &Value, json: bool) {
    if json {
        println!("{receipt}");
        return;
    }
    println!("receipt {}", receipt["erasure"].as_str().unwrap_or_default());
    for (table, rows) in receipt["deleted"].as_object().into_iter().flatten() {
        println!("  deleted {rows} of {table}");
    }
    for (what, act) in [
        ("certificates", "void now: certify anew"),
        ("exports", "remove or redo these files"),
        ("models", "trained on such an export: retrain or retire"),
        ("backups", "remove these, or run the same deletion after restoring one"),
    ] {
        for it in receipt[what].as_array().into_iter().flatten() {
            println!("  {what}: {it} ({act})");
        }
    }
}
