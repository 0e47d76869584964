//! Rounds from the terminal: one that people label, or several on the demo world that simulated annotators label.

use crate::commands::{Outcome, Run};
use crate::compose::{self, Concord};
use crate::evolve::report;
use crate::evolve::simulate::{self, Crowd};
use crate::http::{self, HttpState};
use crate::terminal::plain;
use anyhow::{Context, Result, bail};
use concord_domain::{LogLesson, Round, RoundPlan, RoundSchedule, RoundTraining, TASKS};
use concord_inference::Catalogue;
use concord_service::demo::{self, World};
use concord_service::jobs::{LIGHT_KINDS, MODEL_KINDS, ROUND_KINDS};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The world that rounds are shown on.
const DEMO: World = World { seed: 7, users: 500, items: 3000, until: None };
/// How often the terminal looks at a round.
const LOOK: Duration = Duration::from_secs(1);

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scale {
    /// At most 60 samples a task and 20,000 training tokens a round: half an hour on two cores.
    Small,
    /// The same plan over thousands of users: days, and it goes on where it was stopped.
    Full,
}

/// What a round does; what is not given is as the scale says.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// How much of it.
    #[arg(long, value_enum, default_value = "small")]
    scale: Scale,
    /// Learn what users clicked and bought lately instead of what people agree on: each titled thing is a tag.
    #[arg(long)]
    from_log: bool,
    /// Days of the log that are learnt, back from its newest behaviour.
    #[arg(long, requires = "from_log", default_value_t = 14)]
    days: u32,
    /// Users of the train half.
    #[arg(long)]
    users: Option<u32>,
    /// Users of the audit half, for whom both models write.
    #[arg(long)]
    audit_users: Option<u32>,
    /// At most so many interests a user.
    #[arg(long)]
    interests: Option<u32>,
    /// At most so many tags a user.
    #[arg(long)]
    tags: Option<u32>,
    /// Tokens of a user's compressed behaviour that generators and judge read, at most.
    #[arg(long)]
    history_tokens: Option<u32>,
    /// At most so many tokens of training.
    #[arg(long)]
    tokens: Option<u32>,
    /// Tokens a pack; longer rows are not learnt.
    #[arg(long)]
    length: Option<u32>,
    /// Highest learning rate.
    #[arg(long)]
    rate: Option<f64>,
    /// A trainable model to start from where no trained one serves [default: the generator of the settings].
    #[arg(long)]
    base: Option<String>,
    /// Only users whose things are in this language (en, zh) [default: what the generator is of use in].
    #[arg(long)]
    lang: Option<String>,
    /// Seed of draws, of decoding and of training.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl PlanArgs {
    fn plan(&self, run: &Run) -> Result<RoundPlan> {
        let small = if self.from_log { RoundPlan::from_log() } else { RoundPlan::default() };
        let (base, training) = match self.scale {
            Scale::Small => (small.clone(), RoundTraining::default()),
            Scale::Full => (
                RoundPlan {
                    users: 2_000,
                    audit_users: 1_000,
                    interests: 5,
                    tags: small.tags.max(10),
                    explanations: if self.from_log { 0 } else { 5 },
                    ..small
                },
                RoundTraining { tokens: 5_000_000, accumulate: 4, ..RoundTraining::default() },
            ),
        };
        Ok(RoundPlan {
            users: self.users.unwrap_or(base.users),
            audit_users: self.audit_users.unwrap_or(base.audit_users),
            interests: self.interests.unwrap_or(base.interests),
            tags: self.tags.unwrap_or(base.tags),
            history_tokens: self.history_tokens.unwrap_or(base.history_tokens),
            lang: match &self.lang {
                Some(lang) => Some(lang.clone()),
                None => only_language(run)?,
            },
            seed: self.seed,
            log: base.log.clone().map(|log| LogLesson { days: self.days, ..log }),
            base: self.base.clone(),
            training: RoundTraining {
                tokens: self.tokens.unwrap_or(training.tokens),
                length: self.length.unwrap_or(training.length),
                rate: self.rate.unwrap_or(training.rate),
                ..training
            },
            ..base
        })
    }
}

/// The language of a generator that is of use in one only.
fn only_language(run: &Run) -> Result<Option<String>> {
    if run.config.llm.is_some() {
        return Ok(None);
    }
    let catalogue = Catalogue::read(&run.config.models.join("catalogue.toml"))?;
    Ok(match catalogue.entry(&run.config.generator_model)?.languages.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    })
}

/// A round that people label.
#[derive(Debug, clap::Args)]
pub(super) struct RoundArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Only queue it, for a running `concord serve`.
    #[arg(long)]
    queue: bool,
}

/// Rounds that start by themselves in `concord serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ScheduleArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Days from one round to the next.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=3650))]
    every_days: u32,
    /// The first one is due after so many days.
    #[arg(long, default_value_t = 0)]
    after_days: u16,
    /// No round starts by itself any more.
    #[arg(long, conflicts_with = "show")]
    off: bool,
    /// Only say what is set.
    #[arg(long)]
    show: bool,
}

/// Sets, takes away or shows the schedule.
pub(super) async fn schedule(run: &Run, concord: &Concord, args: &ScheduleArgs) -> Result<Outcome> {
    let (evolve, actor) = (&concord.use_cases.evolve, compose::operator());
    if !args.show {
        let first = jiff::SignedDuration::from_hours(24 * i64::from(args.after_days));
        let new = RoundSchedule {
            plan: args.plan.plan(run)?,
            every_days: args.every_days,
            next_at: Some(jiff::Timestamp::now() + first),
            by: None,
        };
        evolve.set_schedule(&actor, (!args.off).then_some(new)).await?;
    }
    let there = evolve.schedule(&actor).await?;
    match there {
        it if run.json => println!("{}", serde_json::json!(it)),
        None => println!("no round starts by itself"),
        Some(it) => {
            let what = if it.plan.log.is_some() { "what users did lately" } else { "what people agree on" };
            let next =
                it.next_at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
            println!("every {} days a round learns {what}; the next one is due {next}", it.every_days);
        }
    }
    Ok(Outcome::Done)
}

/// Several, unattended.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// How many rounds there are in the end; those that are there count.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    #[command(flatten)]
    plan: PlanArgs,
    /// Write the report to this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Simulated annotators.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    annotators: u32,
    /// Probability that an answer of theirs is turned round.
    #[arg(long, default_value_t = 0.05)]
    noise: f64,
    /// Probability that they pass what should fail; below 0, that they fail what should pass.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    bias: f64,
}

/// Starts a round; here it goes on until people are asked, or to its end.
pub(super) async fn round(run: &Run, concord: &Concord, args: &RoundArgs) -> Result<Outcome> {
    let plan = args.plan.plan(run)?;
    let mut round = concord.use_cases.evolve.start_round(&compose::operator(), plan).await?;
    if !args.queue {
        let loops = Loops::start(run, concord);
        round = watch_round(run, concord, round.id, true).await?;
        loops.end().await;
    }
    show(run.json, std::slice::from_ref(&round));
    Ok(if round.state == "failed" { Outcome::Nothing } else { Outcome::Done })
}

/// Several rounds on the demo world, labelled by simulated annotators over HTTP; then the report.
pub(super) async fn several(run: &Run, concord: &Concord, args: &RunArgs) -> Result<Outcome> {
    for (name, value, range) in [("noise", args.noise, 0.0..=1.0), ("bias", args.bias, -1.0..=1.0)] {
        if !range.contains(&value) {
            bail!("--{name} is a probability");
        }
    }
    let plan = args.plan.plan(run)?;
    world(concord).await?;
    let crowd = Crowd { people: args.annotators, noise: args.noise, bias: args.bias, seed: plan.seed };
    let (address, server) = serve(run, concord).await?;
    let loops = Loops::start(run, concord);
    let stop = run.stop.child_token();
    // Nobody labels any more when the rounds are through; and where nobody can label, none gets through.
    let done = tokio::select! {
        done = rounds(run, concord, args.rounds, &plan) => done,
        failed = simulate::label(concord, &address, crowd, &stop) => failed.map(drop),
    };
    loops.end().await;
    server.cancel();
    done?;
    if run.stop.is_cancelled() {
        bail!("interrupted: the same command goes on");
    }
    let evolve = &concord.use_cases.evolve;
    let actor = compose::operator();
    let mut all = evolve.rounds(&actor, None).await?;
    all.reverse();
    let promotions = evolve.promotions(&actor).await?;
    let mut heads = Vec::new();
    for task in TASKS {
        heads.extend(concord.use_cases.judges.heads(&actor, task).await?);
    }
    let text = report::markdown(&heading(run, &crowd), &all, &promotions, &heads);
    match &args.report {
        Some(path) => std::fs::write(path, &text).with_context(|| path.display().to_string())?,
        None if !run.json => println!("{text}"),
        None => {}
    }
    if run.json {
        println!("{}", serde_json::json!({"rounds": all, "promotions": promotions, "heads": heads}));
    }
    Ok(if all.iter().any(|round| round.state == "failed") { Outcome::Nothing } else { Outcome::Done })
}

fn heading(run: &Run, crowd: &Crowd) -> String {
    let config = &run.config;
    format!(
        "Demo world, simulated annotators: {} of them, noise {}, bias {}; generator {}, judge {}",
        crowd.people, crowd.noise, crowd.bias, config.generator_model, config.judge_model
    )
}

/// The demo world, where no other logs are.
async fn world(concord: &Concord) -> Result<()> {
    let mut conn = concord.pool.acquire().await?;
    let (users, _, _) = concord_store::overview::logs(&mut conn).await?;
    let there = concord_store::demo::world(&mut conn).await?;
    drop(conn);
    match there {
        // Whoever loaded it chose its size.
        Some(_) => Ok(()),
        None if users > 0 => bail!(
            "this database has logs of people: simulated annotators answer from the demo world's truth; give them a database of their own"
        ),
        None => {
            demo::load(&concord.pool, DEMO).await?;
            Ok(())
        }
    }
}

/// Goes on with an open round, starts others, until there are so many.
async fn rounds(run: &Run, concord: &Concord, wanted: u32, plan: &RoundPlan) -> Result<()> {
    let (evolve, actor) = (&concord.use_cases.evolve, compose::operator());
    loop {
        let there = evolve.rounds(&actor, None).await?;
        let open = there.iter().find(|round| round.state == "open").map(|round| round.id);
        let id = match open {
            Some(id) => id,
            None if there.len() >= wanted as usize => return Ok(()),
            None => evolve.start_round(&actor, plan.clone()).await?.id,
        };
        let round = watch_round(run, concord, id, false).await?;
        if round.state == "failed" {
            bail!("round {} failed: {}", round.number, plain(round.why.as_deref().unwrap_or_default()));
        }
    }
}

/// Waits until a round has ended, or, where that is asked for, people are.
async fn watch_round(run: &Run, concord: &Concord, id: uuid::Uuid, until_people: bool) -> Result<Round> {
    let mut last = String::new();
    loop {
        let found = concord.use_cases.evolve.rounds(&compose::operator(), Some(id)).await?.pop();
        let round = found.context("the round is gone")?;
        let step = round.steps.iter().find(|step| !matches!(step.state.as_str(), "done" | "skipped"));
        let asks = step.is_some_and(|step| step.state == "people");
        let now = step.map_or_else(String::new, |step| {
            format!("round {}: {} {}", round.number, step.name, step.message.as_deref().unwrap_or_default())
        });
        if now != last && !run.json && !now.is_empty() {
            eprintln!("{}", plain(&now));
            last = now;
        }
        if round.state != "open" || (until_people && asks) {
            return Ok(round);
        }
        if run.stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            bail!("interrupted: the same command goes on");
        }
    }
}

/// Pages and API on a loopback port of their own; gives the address.
async fn serve(run: &Run, concord: &Concord) -> Result<(String, CancellationToken)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no loopback port is free")?;
    let addr = listener.local_addr()?;
    let stop = run.stop.child_token();
    let state = HttpState {
        project: "default".into(),
        use_cases: concord.use_cases.clone(),
        pool: concord.pool.clone(),
        behind_proxy: false,
        leptos_options: http::leptos_options(&run.config, addr),
        metrics: concord.metrics.clone(),
        metrics_token: None,
        pseudonyms: None,
        stop: stop.clone(),
    };
    let (router, ends) = (http::router(state), stop.clone());
    tokio::spawn(async move { http::serve(listener, router, ends, Duration::ZERO).await });
    Ok((format!("http://{addr}"), stop))
}

/// Workers of this process.
struct Loops {
    tell_stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

impl Loops {
    /// As many for model work as set, one at least: users that are written side by side share each pass over the weights.
    fn start(run: &Run, concord: &Concord) -> Self {
        let (tell_stop, stop) = watch::channel(false);
        let mut loops = JoinSet::new();
        let model = vec![MODEL_KINDS.as_slice(); run.config.workers.max(1)];
        for kinds in [model, vec![LIGHT_KINDS.as_slice(), ROUND_KINDS.as_slice()]].concat() {
            let (worker, stop) = (concord.worker.clone(), stop.clone());
            loops.spawn(async move { worker.run(kinds, stop).await });
        }
        if let Some(standing) = concord.standing.clone() {
            loops.spawn(standing.watch(stop));
        }
        Self { tell_stop, loops }
    }

    async fn end(mut self) {
        self.tell_stop.send_replace(true);
        while self.loops.join_next().await.is_some() {}
    }
}

/// Rounds in a few lines each.
pub(super) fn show(json: bool, rounds: &[Round]) {
    if json {
        println!("{}", serde_json::json!(rounds));
        return;
    }
    for round in rounds {
        println!("round {} ({}): {}", round.number, round.id, round.state);
        for step in &round.steps {
            println!(
                "  {:<13} {:<8} {}",
                step.name,
                step.state,
                plain(step.message.as_deref().unwrap_or_default())
            );
        }
    }
}
