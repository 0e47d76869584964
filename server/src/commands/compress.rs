//! `concord compress`: a user's history as the generator reads it, with what did not fit; or what compression does to a
//! population.

mod population;

use super::{Outcome, Run};
use crate::compose;
use crate::terminal::plain;
use anyhow::{Context, Result};
use concord_domain::History;
use concord_pipeline::{compress, language};
use concord_store::{behaviours, users};

/// More behaviours than these are not read: the paper's users average 37,000.
const LIMIT: i64 = 40_000;

/// Whose history, and how long it may be.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The user's key, as imported.
    #[arg(long, value_name = "KEY", required_unless_present = "population")]
    user: Option<String>,
    /// Instead of one user: how many tokens so many users, drawn by seed, take before and after.
    #[arg(long, value_name = "USERS", conflicts_with = "user")]
    population: Option<u32>,
    /// Seed of that draw.
    #[arg(long, default_value_t = 1, requires = "population")]
    seed: u64,
    /// Tokens that the history may take, estimated without a model.
    #[arg(long, default_value_t = 3000, value_name = "TOKENS")]
    budget: usize,
    /// Words for times and kinds in en or zh [default: as most titles are].
    #[arg(long, value_parser = ["en", "zh"])]
    lang: Option<String>,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        if let Some(n) = args.population {
            return population::run(&pool, n, args.seed, run.json).await;
        }
        let key = args.user.as_deref().unwrap_or_default();
        let mut conn = pool.acquire().await?;
        let user = users::by_key(&mut conn, key).await?.with_context(|| {
            format!("there is no user {key:?}; `concord import` or `concord demo` brings some")
        })?;
        let events = behaviours::history(&mut conn, user.id, LIMIT).await?;
        let counts = behaviours::counts(&mut conn, user.id).await?;
        let newest = behaviours::newest(&mut conn, user.id).await?;
        let as_of = newest.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
        let (mut history, dropped) =
            compress::compress_telling(&events, as_of, args.budget, &language::estimate_tokens);
        history.behaviours = u32::try_from(counts.all).unwrap_or(u32::MAX);
        let of_dropped = History { as_of: history.as_of, lines: dropped, ..History::default() };
        if run.json {
            let mut json = serde_json::to_value(&history)?;
            json["dropped"] = serde_json::to_value(&of_dropped.lines)?;
            println!("{json}");
        } else {
            let lang =
                args.lang.as_deref().unwrap_or_else(|| language::of(&compress::render(&history, "en")));
            say(&history, &of_dropped, lang);
        }
        Ok(if history.lines.is_empty() { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}

/// The history on standard output; what was left out, and why, on the other.
fn say(history: &History, dropped: &History, lang: &str) {
    println!("{}", plain(&compress::render(history, lang)));
    let tokens = language::estimate_tokens(&compress::render(history, lang));
    eprintln!(
        "{} behaviours, {} reliable; {} lines, about {tokens} tokens",
        history.behaviours,
        history.reliable,
        history.lines.len(),
    );
    let views = history.behaviours.saturating_sub(history.reliable);
    if views > 0 {
        eprintln!("left out: {views} plain views, which say little of what one wants");
    }
    if !dropped.lines.is_empty() {
        eprintln!(
            "left out: {} lines ({} behaviours) that told least and did not fit the budget:",
            dropped.lines.len(),
            history.dropped_behaviours
        );
        for line in compress::render(dropped, lang).lines() {
            eprintln!("  {}", plain(line.trim_start_matches("0 | ")));
        }
    }
}
