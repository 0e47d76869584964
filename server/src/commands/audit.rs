//! `concord audit`: how judges compare with people, as a table or as the report of `GET /api/v1/audit`.

use super::{Outcome, Run};
use crate::compose::{self, operator};
use crate::terminal::plain;
use anyhow::{Result, bail};
use concord_domain::api::Audit;
use concord_domain::{AuditFilter, Card, Estimate};
use concord_service::audit::{AuditService, refold};

/// Which cards.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this task.
    #[arg(long)]
    task: Option<String>,
    /// Only this criterion; `*` pools all decisions, `all` asks whether a sample passes every one.
    #[arg(long)]
    criterion: Option<String>,
    /// Only this judge.
    #[arg(long)]
    judge: Option<String>,
    /// How people's answers make a reference: `majority`, `unanimous` or `adjudicated`.
    #[arg(long, value_name = "RULE")]
    reference: Option<String>,
    /// First count everything anew from labels and verdicts, and fail if that differs from what was kept up to date.
    #[arg(long)]
    recount: bool,
    /// Read the label log anew for every drift monitor, and fail unless that comes to the statistic, the alarm and the
    /// hash that are stored.
    #[arg(long)]
    replay: bool,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        if args.recount {
            concord_service::audit::fold(&pool).await?;
            let began = std::time::Instant::now();
            let differ = refold(&pool).await?;
            eprintln!("counted anew in {:.1} s", began.elapsed().as_secs_f64());
            if differ > 0 {
                bail!("{differ} counts differed from labels and verdicts; they are right now: please report this");
            }
        }
        // A command has the time to count everything; a page would say how much is missing.
        concord_service::audit::advance(&pool).await?;
        let audit = AuditService::new(pool);
        if args.replay {
            return replay(run, &audit).await;
        }
        let filter = AuditFilter {
            task: args.task,
            criterion: args.criterion,
            judge: args.judge,
            reference: args.reference,
        };
        let report = audit.report(&operator(), filter).await?;
        if run.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            report.cards.iter().for_each(print);
        }
        Ok(if report.cards.is_empty() { Outcome::Nothing } else { Outcome::Done })
    })
    .await
}

async fn replay(run: &Run, audit: &AuditService) -> Result<Outcome> {
    let replays = audit.replay(&operator(), None).await?;
    if run.json {
        println!("{}", serde_json::to_string(&replays)?);
    } else {
        for it in &replays {
            let alarm = it.alarm_n.map_or_else(|| "no alarm".to_owned(), |n| format!("alarm at label {n}"));
            let verdict = if it.same { "as stored" } else { "NOT AS STORED" };
            let (task, criterion, judge) = (plain(&it.task), plain(&it.criterion), plain(&it.judge));
            println!("{task} · {criterion} · {judge} · {}", it.verdict);
            println!("  n {}, e-SR {:.4}, {alarm}, {}: {verdict}", it.n, it.statistic, it.prefix_hash);
        }
    }
    let differ = replays.iter().filter(|it| !it.same).count();
    if differ > 0 {
        bail!("{differ} monitors differ from the label log: please report this");
    }
    Ok(if replays.is_empty() { Outcome::Nothing } else { Outcome::Done })
}

fn print(card: &Card) {
    let (task, criterion, judge) = (plain(&card.task), plain(&card.criterion), plain(&card.judge));
    println!("{task} · {criterion} · {judge} (rubric {})", plain(&card.rubric));
    println!(
        "  n {} ({} pass, {} fail by people) in {} clusters; {} tied, {} without a verdict, {} unparsed",
        card.n,
        card.n_human_pass,
        card.n_human_fail,
        card.n_clusters,
        card.reference.n_tied,
        card.n_no_verdict,
        card.n_unparsed
    );
    let rows: [(&str, &Estimate); 8] = [
        ("agreement", &card.accuracy),
        ("precision", &card.precision),
        ("recall", &card.recall),
        ("specificity", &card.specificity),
        ("kappa", &card.kappa.estimate),
        ("AC1", &card.ac1),
        ("humans' alpha", &card.humans.alpha),
        ("pass rate, corrected", &card.pass_rate.corrected),
    ];
    for (name, estimate) in rows {
        println!("  {name:<22}{}", said(estimate));
    }
    for certificate in &card.certificates {
        let why = certificate.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        println!("  certificate {} {}{why}", certificate.verdict, certificate.status);
    }
    println!();
}

fn said(estimate: &Estimate) -> String {
    match (estimate.est, estimate.ci) {
        (Some(est), Some((low, high))) => format!("{est:.3} [{low:.3}, {high:.3}]  n {}", estimate.n),
        (Some(est), None) => format!("{est:.3}  n {}", estimate.n),
        _ => format!("not estimable: {}", estimate.why.as_deref().unwrap_or("no data")),
    }
}
