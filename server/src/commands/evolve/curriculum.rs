//! `concord evolve curriculum`: labelled rows of sub-tasks into the order in which a model learns them.

use crate::commands::{Outcome, Run};
use anyhow::{Context, Result, bail};
use concord_pipeline::curriculum::{Curriculum, SHIPPED, Stage};
use serde_json::Value;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What to arrange.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// JSON Lines with the field `subtask` and what is learnt: `messages`, or `prompt` and `completion`. Several files are
    /// read one after the other.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    rows: Vec<PathBuf>,
    /// Sub-tasks of your own, besides the paper's sixteen (models/curriculum.toml shows the form).
    #[arg(long, value_name = "FILE")]
    tasks: Option<PathBuf>,
    /// Only those.
    #[arg(long, requires = "tasks")]
    only: bool,
    /// The file to write: rows in the order of learning, for `concord evolve train --rows`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Decides the order within a sub-task and what is repeated.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(run: &Run, args: &Args) -> Result<Outcome> {
    let curriculum = curriculum(args)?;
    if args.out.exists() {
        bail!("{} is there already", args.out.display());
    }
    let (mut lines, mut of) = (Vec::new(), Vec::new());
    for path in &args.rows {
        read(path, &mut lines, &mut of)?;
    }
    let (order, stages) = curriculum.arrange(&of, args.seed)?;
    if order.is_empty() {
        bail!("there is no row");
    }
    write(&args.out, order.iter().map(|at| lines[*at].as_str()))?;
    show(run.json, &stages, order.len());
    Ok(Outcome::Done)
}

fn curriculum(args: &Args) -> Result<Curriculum> {
    let own = args.tasks.as_deref().map(|path| {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        // Alone it may need the shipped ones, so it is checked with them.
        let own = toml::from_str::<Curriculum>(&text).with_context(|| path.display().to_string())?;
        anyhow::Ok((own, text, path))
    });
    let shipped = Curriculum::read(SHIPPED)?;
    match own.transpose()? {
        None => Ok(shipped),
        Some((_, text, path)) if args.only => {
            Curriculum::read(&text).with_context(|| path.display().to_string())
        }
        Some((own, _, path)) => shipped.with(own).with_context(|| path.display().to_string()),
    }
}

fn read(path: &Path, lines: &mut Vec<String>, of: &mut Vec<String>) -> Result<()> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line?;
        let place = || format!("{} line {number}", path.display());
        let row: Value = serde_json::from_str(&line).with_context(place)?;
        let subtask = row["subtask"].as_str().with_context(|| format!("{}: no subtask", place()))?;
        let said = row["messages"].is_array() || (row["prompt"].is_array() && row["completion"].is_array());
        if !said {
            bail!("{}: neither messages nor prompt and completion", place());
        }
        of.push(subtask.to_owned());
        lines.push(line);
    }
    Ok(())
}

/// By way of a neighbour: the file is whole or not there.
fn write<'a>(path: &Path, lines: impl Iterator<Item = &'a str>) -> Result<()> {
    let partial = path.with_extension("partial");
    let mut out =
        BufWriter::new(std::fs::File::create(&partial).with_context(|| partial.display().to_string())?);
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    out.get_ref().sync_all()?;
    std::fs::rename(&partial, path).with_context(|| path.display().to_string())
}

fn show(json: bool, stages: &[Stage], rows: usize) {
    if json {
        println!("{}", serde_json::json!({"rows": rows, "stages": stages}));
        return;
    }
    for it in stages {
        println!(
            "{:>7} rows  {} (given {}, {} of earlier sub-tasks)",
            it.rows, it.name, it.given, it.replayed
        );
    }
    println!("{rows:>7} rows in all");
}
