//! `concord schema KIND`: the JSON Schema of one line of an import.

use super::Outcome;
use concord_service::intake;

/// What to describe.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// users, items, behaviours, samples, labels or verdicts.
    #[arg(value_name = "KIND", value_parser = known)]
    schema: &'static str,
}

fn known(kind: &str) -> Result<&'static str, String> {
    intake::schema(kind).ok_or_else(|| "it is users, items, behaviours, samples, labels or verdicts".into())
}

pub(super) fn run(args: &Args) -> Outcome {
    print!("{}", args.schema);
    Outcome::Done
}
