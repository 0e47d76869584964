//! `concord demo`: a seeded world of our own making, for trying everything without anyone's data.

use super::{Outcome, Run};
use crate::compose;
use anyhow::Result;
use concord_service::demo::{self, World};
use jiff::civil::Date;

/// Which world.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The same seed, size and day make the same world.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// People.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: u32,
    /// Things; there are never fewer than the world has sorts of things.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    items: u32,
    /// Its last day, which "yesterday" is told from [default: the day of a world that is there already, else today].
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        let world = World { seed: args.seed, users: args.users, items: args.items, until: args.until };
        let made = demo::load(&pool, world).await?;
        if run.json {
            println!("{}", serde_json::to_string(&made)?);
        } else {
            println!(
                "a world until {}: {} users, {} items, {} behaviours; {} rows new",
                made.until, made.users, made.items, made.behaviours, made.new
            );
        }
        Ok(Outcome::Done)
    })
    .await
}
