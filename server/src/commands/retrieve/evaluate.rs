//! `concord retrieve evaluate`: full ranking, seen items excluded, each user's last item held out.

use super::super::{Outcome, Run};
use super::{Bar, table};
use crate::compose;
use anyhow::{Context, Result, bail};
use concord_retrieval::report::{self, Options, Prediction, Report, WrittenTag};
use concord_retrieval::tune::Budget;
use concord_retrieval::{Logs, Split, atomic};
use concord_service::retrieval;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder with RecBole files (.inter, and .item if there is one), or `db`.
    #[arg(long, value_name = "DIR|db", default_value = "db")]
    train: String,
    /// An .inter file with the next item of each user; then all of --train is learned from.
    #[arg(long, value_name = "FILE.inter")]
    test: Option<PathBuf>,
    /// Users measured at most, drawn by seed [default: all].
    #[arg(long)]
    users: Option<usize>,
    /// List lengths.
    #[arg(long, default_value = "10,20,50", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1000))]
    k: Vec<u16>,
    /// Seed of draws and training.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Trainings of either kind of towers; item-kNN gets as many settings as towers get looks at the validation users.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    trainings: u16,
    /// Ways of asking a trained model that are tried.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=200))]
    asks: u16,
    /// Passes of a training at most; it ends earlier when the validation gets no better.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    epochs: u16,
    /// Users of the validation split at most.
    #[arg(long, default_value_t = 2000)]
    validation_users: usize,
    /// Where the three towers' lists go, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    if args.train != "db" {
        let (logs, split) = atomic::read(Path::new(&args.train), args.test.as_deref())?;
        return measure(run, &args, logs, split, HashMap::new()).await;
    }
    if args.test.is_some() {
        bail!("--test goes with a folder; of the database the last items are held out");
    }
    let (logs, written) = run
        .with_database(async |database| {
            let pool = compose::connect(&run.config, database).await?;
            compose::prepare(&pool, &run.config, database).await?;
            Ok((retrieval::read_logs(&pool).await?, retrieval::held_out_tags(&pool).await?))
        })
        .await?;
    let numbers: HashMap<&str, usize> =
        logs.users.iter().enumerate().map(|(number, user)| (user.key.as_str(), number)).collect();
    let written =
        written.into_iter().filter_map(|(user, tags)| Some((*numbers.get(user.as_str())?, tags))).collect();
    let split = logs.leave_last_out();
    measure(run, &args, logs, split, written).await
}

async fn measure(
    run: &Run,
    args: &Args,
    logs: Logs,
    split: Split,
    written: HashMap<usize, Vec<WrittenTag>>,
) -> Result<Outcome> {
    let mut ks: Vec<usize> = args.k.iter().map(|k| usize::from(*k)).collect();
    ks.sort_unstable();
    ks.dedup();
    let budget = Budget {
        trainings: args.trainings.into(),
        asks: args.asks.into(),
        epochs: args.epochs.into(),
        k: ks[ks.len() / 2],
        seed: args.seed,
    };
    let options = Options { ks, users: args.users, budget, validation_users: args.validation_users, written };
    let stop = run.stop.clone();
    let (report, predictions) = tokio::task::spawn_blocking(move || {
        let bar = Bar::new(stop);
        let done = report::evaluate(&logs, &split, &options, &mut |what, progress| bar.tell(what, progress));
        bar.finish();
        done
    })
    .await??;
    if let Some(path) = &args.predictions {
        write(path, &predictions).with_context(|| path.display().to_string())?;
    }
    print(run.json, &report)?;
    Ok(Outcome::Done)
}

fn write(path: &Path, predictions: &[Prediction]) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for prediction in predictions {
        serde_json::to_writer(&mut out, prediction)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn print(json: bool, report: &Report) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        print!("{}", table::tables(report));
    }
    Ok(())
}
