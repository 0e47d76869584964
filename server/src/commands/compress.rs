//! `concord compress --user U`: a user's history as the generator reads it.

use super::{Outcome, Run};
use crate::compose;
use crate::terminal::plain;
use anyhow::{Context, Result};
use concord_pipeline::{compress, language};
use concord_store::{behaviours, users};

/// More behaviours than these are not read: the paper's users average 37,000.
const LIMIT: i64 = 40_000;

/// Whose history, and how long it may be.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The user's key, as imported.
    #[arg(long, value_name = "KEY")]
    user: String,
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
        let mut conn = pool.acquire().await?;
        let user = users::by_key(&mut conn, &args.user).await?.with_context(|| {
            format!("there is no user {:?}; `concord import` or `concord demo` brings some", args.user)
        })?;
        let events = behaviours::history(&mut conn, user.id, LIMIT).await?;
        let counts = behaviours::counts(&mut conn, user.id).await?;
        let newest = behaviours::newest(&mut conn, user.id).await?;
        let as_of = newest.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
        let mut history = compress::compress(&events, as_of, args.budget, &language::estimate_tokens);
        history.behaviours = u32::try_from(counts.all).unwrap_or(u32::MAX);
        if run.json {
            println!("{}", serde_json::to_string(&history)?);
        } else {
            let lang =
                args.lang.as_deref().unwrap_or_else(|| language::of(&compress::render(&history, "en")));
            println!("{}", plain(&compress::render(&history, lang)));
            eprintln!(
                "{} behaviours, {} reliable; {} lines, {} more ({} behaviours) did not fit the budget",
                history.behaviours,
                history.reliable,
                history.lines.len(),
                history.dropped_lines,
                history.dropped_behaviours
            );
        }
        Ok(if history.lines.is_empty() { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}
