//! `concord import KIND FILE|-`: logs, catalogue, and samples, labels and verdicts made elsewhere in; rejects in a
//! file beside.

use super::{Outcome, Run};
use crate::terminal::plain;
use crate::{cluster, compose, compose::operator};
use anyhow::{Result, bail};
use concord_domain::BehaviourKind;
use concord_service::intake::{
    self, Format, ImportOptions, ImportReport, Kind, Progress, RejectFile, Source, UnknownItems,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What to import, and how it is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// users, items, behaviours, samples, labels or verdicts.
    kind: Kind,
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// jsonl, csv, parquet, recbole, taobao or amazon.
    #[arg(long)]
    format: Format,
    /// Kind of behaviours that do not say theirs.
    #[arg(long = "kind", value_name = "KIND", value_parser = behaviour)]
    behaviour: Option<BehaviourKind>,
    /// Ratings below are not reliable feedback.
    #[arg(long, default_value_t = 4.0, value_name = "RATING")]
    min_rating: f32,
    /// Task of samples, labels and verdicts that do not say theirs.
    #[arg(long, value_parser = task)]
    task: Option<String>,
    /// Where rejects go [default: FILE.rejects.jsonl]; never over a file that is there.
    #[arg(long, value_name = "PATH")]
    rejects: Option<PathBuf>,
    /// Behaviours on items that are not in the catalogue: create the item, or reject the row.
    #[arg(long, value_name = "create|reject", default_value = "create", value_parser = unknown_items)]
    unknown_items: UnknownItems,
    /// Store users, and clusters, under pseudonyms made with the setting `pseudonym_key`.
    #[arg(long)]
    pseudonymise: bool,
}

fn behaviour(word: &str) -> Result<BehaviourKind, String> {
    BehaviourKind::parse(word)
        .ok_or_else(|| format!("it is one of {}", BehaviourKind::ALL.map(BehaviourKind::as_str).join(", ")))
}

fn task(word: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&word.chars().count()) && !word.chars().any(char::is_control);
    if fits { Ok(word.to_owned()) } else { Err("1 to 64 characters".into()) }
}

fn unknown_items(word: &str) -> Result<UnknownItems, String> {
    match word {
        "create" => Ok(UnknownItems::Create),
        "reject" => Ok(UnknownItems::Reject),
        _ => Err("it is create or reject".into()),
    }
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    let source = intake::open(&args.file)?;
    // Not through with_database: Ctrl-C is to stop after the current batch and say what is in.
    let opened = cluster::open(&run.config).await?;
    let done = match run.database(&opened).await {
        Ok(database) => import(run, &args, source, &database).await,
        Err(error) => Err(error),
    };
    let closed = opened.close().await;
    let outcome = done?;
    closed?;
    Ok(outcome)
}

async fn import(run: &Run, args: &Args, source: Source, database: &cluster::Database) -> Result<Outcome> {
    let pool = compose::connect(&run.config, database).await?;
    compose::prepare(&pool, &run.config, database).await?;
    let pseudonyms = run.config.pseudonyms.clone().filter(|_| args.pseudonymise);
    if args.pseudonymise && pseudonyms.is_none() {
        bail!("--pseudonymise needs a key: set CONCORD_PSEUDONYM_KEY");
    }
    let options = ImportOptions {
        pseudonyms,
        behaviour: args.behaviour,
        min_rating: args.min_rating,
        unknown_items: args.unknown_items,
        task: args.task.clone(),
        ..ImportOptions::new(args.kind, args.format)
    };
    let (stop, asked) = (Arc::clone(&options.stop), run.stop.clone());
    tokio::spawn(async move {
        asked.cancelled().await;
        stop.store(true, Ordering::Relaxed);
    });
    let mut rejects = match &args.rejects {
        Some(path) => RejectFile::new(path.clone()),
        None => RejectFile::beside((args.file.as_os_str() != "-").then_some(args.file.as_path())),
    };
    let meter = Meter::new(source.len, source.counter());
    let report = intake::import(&pool, source, &options, &mut rejects, |p| meter.tell(p)).await;
    meter.finish();
    let report = report?;
    intake::record(&pool, &operator(), args.kind, &report).await?;
    explain(&report, rejects.path());
    if run.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let ImportReport { rows, new, duplicate, rejected, .. } = report;
        println!("{rows} {}: {new} new, {duplicate} duplicate, {rejected} rejected", args.kind.as_str());
    }
    Ok(outcome(&report))
}

fn outcome(report: &ImportReport) -> Outcome {
    let stopped = report.interrupted || report.failed.is_some();
    match (stopped, report.rejected, report.new + report.duplicate) {
        (true, _, 0) | (false, 1.., 0) => Outcome::Nothing,
        (false, 0, _) => Outcome::Done,
        _ => Outcome::SomeRejected,
    }
}

/// What is to be known besides the counts, on standard error.
fn explain(report: &ImportReport, rejects: Option<&Path>) {
    if let Some(unit) = report.time_unit {
        eprintln!("times were read as {}", unit.words());
    }
    for note in &report.notes {
        eprintln!("{}", plain(note));
    }
    if report.unknown_items > 0 {
        let first: Vec<String> = report
            .unknown_first
            .iter()
            .map(|(line, item)| format!("{} (line {line})", plain(item)))
            .collect();
        eprintln!(
            "{} behaviours name items that the catalogue does not have, the first {}; \
             such items are never shown to a model until `concord import items` brings their titles",
            report.unknown_items,
            first.join(", ")
        );
    }
    if let Some(path) = rejects {
        eprintln!("rejects are in {}", path.display());
    }
    if let Some(why) = &report.failed {
        eprintln!(
            "stopped: {}; what is counted is in, and the same command again doubles nothing",
            plain(why)
        );
    }
    if report.interrupted {
        eprintln!("stopped: what is counted is in; run the same command again: nothing is doubled");
    }
}

/// A bar on a terminal, a line now and then elsewhere.
struct Meter {
    bar: Option<ProgressBar>,
    read: Arc<AtomicU64>,
    told: AtomicU64,
}

/// Rows between two lines where there is no terminal.
const EVERY: u64 = 200_000;

impl Meter {
    fn new(len: Option<u64>, read: Arc<AtomicU64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = len.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let known = "{bar:30} {bytes}/{total_bytes} {msg} {elapsed}";
            let template = if len.is_some() { known } else { "{spinner} {bytes} {msg} {elapsed}" };
            bar.with_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        Self { bar, read, told: AtomicU64::new(0) }
    }

    fn tell(&self, progress: Progress) {
        let words = format!("{} rows, {} new, {} rejected", progress.lines, progress.new, progress.rejected);
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.read.load(Ordering::Relaxed));
                bar.set_message(words);
            }
            None if progress.lines >= self.told.load(Ordering::Relaxed) + EVERY => {
                self.told.store(progress.lines, Ordering::Relaxed);
                eprintln!("{words}");
            }
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
