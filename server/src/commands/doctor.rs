//! `concord doctor`: prints what [`crate::doctor`] finds; fails when something has to be mended.

use super::{Outcome, Run};
use crate::doctor;
use anyhow::Result;

pub(super) async fn run(run: &Run) -> Result<Outcome> {
    let report = doctor::examine(&run.config).await;
    if run.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.healthy() { Outcome::Done } else { Outcome::Nothing })
}
