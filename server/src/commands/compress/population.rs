//! What compression does to a population: tokens before and after, and how many users fit a window.

use crate::commands::Outcome;
use anyhow::Result;
use concord_agreement::proportion;
use concord_pipeline::{compress, language};
use concord_store::{behaviours, users};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// Context windows, in tokens.
const WINDOWS: [usize; 3] = [4_000, 32_000, 128_000];
/// Users with fewer reliable behaviours are not drawn, as for a generation.
const MIN_RELIABLE: i64 = 5;

/// Tokens of a user: every behaviour told one by one, and compressed without a budget.
struct Lengths {
    behaviours: usize,
    before: usize,
    after: usize,
    took: Duration,
}

pub(super) async fn run(pool: &PgPool, n: u32, seed: u64, as_json: bool) -> Result<Outcome> {
    let mut conn = pool.acquire().await?;
    let drawn = users::pick_for_generation(&mut conn, i64::from(n), seed.cast_signed(), MIN_RELIABLE).await?;
    let mut all = Vec::with_capacity(drawn.len());
    for user in drawn {
        let events = behaviours::everything(&mut conn, user.id, super::LIMIT).await?;
        let as_of = events.first().and_then(|it| it.at).map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
        let count = &language::estimate_tokens;
        let began = Instant::now();
        let history = compress::compress(&events, as_of, usize::MAX, count);
        let took = began.elapsed();
        let lang = language::of(&compress::render(&history, "en"));
        all.push(Lengths {
            behaviours: events.len(),
            before: compress::uncompressed_tokens(&events, count),
            after: count(&compress::render(&history, lang)),
            took,
        });
    }
    if all.is_empty() {
        eprintln!(
            "no user has {MIN_RELIABLE} reliable behaviours on titled items: import logs first, or run `concord demo`"
        );
        return Ok(Outcome::Nothing);
    }
    let report = report(&all);
    if as_json {
        println!("{report}")
    } else {
        say(&report)
    }
    Ok(Outcome::Done)
}

fn report(all: &[Lengths]) -> Value {
    let spread = |of: &dyn Fn(&Lengths) -> usize| {
        let mut sorted: Vec<usize> = all.iter().map(of).collect();
        sorted.sort_unstable();
        let at = |share: usize| sorted[(sorted.len() - 1) * share / 100];
        json!({"median": at(50), "p90": at(90), "max": at(100), "sum": sorted.iter().sum::<usize>()})
    };
    let fits = WINDOWS.map(|window| {
        let share = |of: &dyn Fn(&Lengths) -> usize| {
            let k = all.iter().filter(|it| of(it) <= window).count();
            let estimate = proportion(k as u64, all.len() as u64);
            json!({"est": estimate.est, "ci": estimate.ci, "method": estimate.method, "n": estimate.n})
        };
        json!({"window": window, "before": share(&|it| it.before), "after": share(&|it| it.after)})
    });
    json!({
        "users": all.len(),
        "behaviours": spread(&|it| it.behaviours),
        "tokens_before": spread(&|it| it.before),
        "tokens_after": spread(&|it| it.after),
        "fits": fits,
        "micros": spread(&|it| usize::try_from(it.took.as_micros()).unwrap_or(usize::MAX)),
    })
}

fn say(report: &Value) {
    println!("{} users; tokens estimated without a model", report["users"]);
    println!("{:<24}{:>10}{:>10}{:>10}", "", "median", "90 %", "longest");
    for (words, key) in [
        ("behaviours", "behaviours"),
        ("tokens before", "tokens_before"),
        ("tokens after", "tokens_after"),
        ("microseconds", "micros"),
    ] {
        // As text: a JSON value takes no width.
        let of = |place: &str| report[key][place].to_string();
        println!("{words:<24}{:>10}{:>10}{:>10}", of("median"), of("p90"), of("max"));
    }
    for row in report["fits"].as_array().into_iter().flatten() {
        let share = |side: &str| {
            let (est, ci) = (row[side]["est"].as_f64().unwrap_or_default(), &row[side]["ci"]);
            let end = |n: usize| ci[n].as_f64().unwrap_or_default();
            format!("{est:.3} [{:.3}, {:.3}]", end(0), end(1))
        };
        println!(
            "share that fits {:>7}: before {}, after {}",
            row["window"],
            share("before"),
            share("after")
        );
    }
}
