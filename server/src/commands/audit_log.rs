//! `concord audit-log`: the chain of hashes over what people, judges, certificates and exports did.

use super::{Outcome, Run};
use crate::compose;
use anyhow::{Context, Result};
use clap::{Args as ClapArgs, Subcommand};
use concord_service::audit_log::{self, Verified};

/// The audit log.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read the whole chain and every row it covers, and say what does not fit.
    Verify {
        /// A hash that `audit-log verify` printed earlier: the log must still contain it.
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Option<Hash>,
    },
    /// Seal what is settled now; a running server does it every two seconds.
    Seal,
}

#[derive(Debug, Clone)]
struct Hash(Vec<u8>);

fn hash(text: &str) -> Result<Hash, String> {
    let byte = |place: usize| text.get(place..place + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.filter(|bytes| bytes.len() == 32).map(Hash).ok_or_else(|| "64 hexadecimal digits".into())
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        match args.action {
            Action::Seal => {
                let sealed = audit_log::seal(&pool).await?;
                if run.json {
                    println!("{}", serde_json::json!({ "sealed": sealed }));
                } else {
                    println!("{sealed} rows sealed");
                }
                Ok(Outcome::Done)
            }
            Action::Verify { head } => {
                let kept = head.as_ref().map(|hash| hash.0.as_slice());
                let verified = audit_log::verify(&pool, kept).await.context("the log cannot be read")?;
                print(&verified, run.json)?;
                Ok(if verified.ok { Outcome::Done } else { Outcome::Nothing })
            }
        }
    })
    .await
}

pub(super) fn print(verified: &Verified, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(verified)?);
        return Ok(());
    }
    let Verified { blocks, entries, erased, unsealed, head, problems, .. } = verified;
    for problem in problems {
        println!("block {}: {}", problem.block, problem.what);
    }
    let word = if verified.ok { "holds" } else { "is BROKEN" };
    println!(
        "the chain {word}: {blocks} blocks, {entries} rows, {erased} deleted by right, {unsealed} not sealed yet"
    );
    println!("head {head}");
    Ok(())
}
