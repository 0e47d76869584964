//! `concord evaluate pipeline`: what generation recovers of the demo world's truth, beside generators that know nothing.

use super::{Outcome, Run};
use crate::compose;
use anyhow::{Result, bail};
use clap::Subcommand;
use concord_domain::{Estimate, GenerationId, GenerationRequest, PipelineEvaluation};
use concord_service::evaluation;
use tokio::sync::watch;

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Interests and tags against the demo world's stored truth.
    Pipeline {
        /// This run [default: the newest with the last day kept away].
        #[arg(long, value_name = "ID", conflicts_with = "users")]
        generation: Option<GenerationId>,
        /// First generate for so many users, drawn by seed, with the last day kept away.
        #[arg(long)]
        users: Option<u32>,
        /// Seed of the draw and of decoding.
        #[arg(long, default_value_t = 1, requires = "users")]
        seed: u64,
        /// At most so many interests a user.
        #[arg(long, default_value_t = 6, requires = "users")]
        interests: u32,
        /// At most so many tags a user.
        #[arg(long, default_value_t = 30, requires = "users")]
        tags: u32,
        /// At most so many explanations a user.
        #[arg(long, default_value_t = 0, requires = "users")]
        explanations: u32,
        /// RecGPT-V2: so many personas predict the tags and an arbiter chooses; 0 is off.
        #[arg(long, default_value_t = 0, requires = "users")]
        personas: u32,
        /// RecGPT-V2: a style guideline before the explanations.
        #[arg(long, requires = "users")]
        style: bool,
        /// RecGPT-V2: so many outputs of tags, of which constrained selection takes one; 1 is off.
        #[arg(long, default_value_t = 1, requires = "users")]
        candidates: u32,
    },
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database_until_done(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let actor = compose::operator();
        let What::Pipeline {
            generation,
            users,
            seed,
            interests,
            tags,
            explanations,
            personas,
            style,
            candidates,
        } = args.what;
        let mut id = generation;
        if let Some(users) = users {
            if let Some(trouble) = concord.models.trouble().await {
                bail!(trouble);
            }
            let request = GenerationRequest {
                users,
                seed,
                interests,
                tags,
                explanations,
                hold_out: true,
                personas,
                style,
                candidates,
                ..GenerationRequest::default()
            };
            id = Some(concord.use_cases.work.generate(&actor, request).await?.id);
            let (tell_stop, stop) = watch::channel(false);
            tokio::select! {
                drained = concord.worker.drain(&["generate"], run.config.workers, stop) => drained?,
                () = run.stop.cancelled() => {
                    tell_stop.send_replace(true);
                    bail!("interrupted: concord generate goes on with it");
                }
            }
        }
        let found = evaluation::pipeline(&concord.pool, &actor, id).await?;
        if run.json {
            println!("{}", serde_json::json!(found));
        } else {
            print(&found);
        }
        Ok(Outcome::Done)
    })
    .await
}

fn print(found: &PipelineEvaluation) {
    println!("generation {} by {}, {} users with a truth", found.generation, found.model, found.users);
    println!(
        "matching rule on {} pairs labelled by hand: precision {}, recall {}",
        found.matching.pairs,
        figure(&found.matching.precision),
        figure(&found.matching.recall)
    );
    println!("{:<18} {:<30} {:<30} {:<30} per user", "", "latent recovered", "without support", "HR@30");
    for system in &found.systems {
        println!(
            "{:<18} {:<30} {:<30} {:<30} {:.1} interests, {:.1} tags, {:.1} categories",
            system.name,
            figure(&system.recovered),
            figure(&system.unsupported),
            figure(&system.hr30),
            system.interests,
            system.tags,
            system.categories
        );
    }
    println!(
        "interests that cite nothing: {}; with any mark: {}",
        figure(&found.cites_nothing),
        figure(&found.marked)
    );
    println!(
        "tags that a rule left out: {}; the same in other words: {}",
        figure(&found.tags_left_out),
        figure(&found.duplicates)
    );
    println!(
        "lines that broke a rule: {}; 1 − ROUGE-L among a user's lines: {}",
        figure(&found.lines_left_out),
        figure(&found.line_diversity)
    );
}

fn figure(of: &Estimate) -> String {
    match (of.est, of.ci) {
        (Some(est), Some((low, high))) => format!("{est:.3} [{low:.3}, {high:.3}], n {}", of.n),
        (Some(est), None) => format!("{est:.3} (no interval), n {}", of.n),
        (None, _) => format!("not estimable: {}", of.why.clone().unwrap_or_default()),
    }
}
