//! `concord serve`: pages, API and workers of all projects in one process.

use super::{Outcome, Run};
use crate::compose::{self, Concord, Shared};
use crate::config::Config;
use crate::http::{self, Hosts, HttpState};
use crate::project::Project;
use crate::projects::{Front, Projects};
use anyhow::{Context, Result};
use concord_domain::api::UseCases;
use concord_domain::{Error, GenerationRequest};
use concord_service::demo::{self, World};
use concord_store::{generations, overview};
use sqlx::PgPool;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often a first generation looks whether its weights have come.
const WAIT_FOR_WEIGHTS: Duration = Duration::from_secs(30);

/// How to serve.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Load the demo world and start a first generation if there are no logs yet.
    #[arg(long)]
    demo: bool,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    let started = Instant::now();
    run.all_projects("a server serves")?;
    run.with_database_until_done(async |database| {
        let shared = Shared::new(&run.config)?;
        let listener = TcpListener::bind(run.config.addr)
            .await
            .with_context(|| format!("cannot listen on {}: choose another with --addr", run.config.addr))?;
        let addr = listener.local_addr()?;
        let hosts = Hosts::new(&run.config.base_host);
        let doors = Doors { hosts: hosts.clone(), config: run.config.clone(), addr, stop: run.stop.clone() };
        let (projects, concord) = Projects::open(&run.config, database, shared, doors).await?;
        // Jobs go back to the queue at once when this is to stop: another worker may take them while requests still
        // end here.
        let mut background = JoinSet::new();
        background.spawn(projects.keep(run.stop.clone()));
        if args.demo {
            let demo = first_world(concord.pool.clone(), concord.use_cases.clone());
            let stopped = run.stop.clone();
            background.spawn(async move {
                let done = stopped.run_until_cancelled(demo).await;
                if let Some(Err(error)) = done {
                    tracing::error!(error = format!("{error:#}"), "the demo world is not complete");
                }
            });
        }
        welcome(&concord, addr, started).await?;
        http::serve(listener, hosts.router(), run.stop.clone(), run.config.drain).await;
        while background.join_next().await.is_some() {}
        Ok(Outcome::Done)
    })
    .await
}

/// Gives each project a router of its own.
struct Doors {
    hosts: Hosts,
    config: Config,
    addr: SocketAddr,
    stop: CancellationToken,
}

impl Front for Doors {
    fn opened(&mut self, project: &Project, concord: &Concord) {
        let state = HttpState {
            project: project.name().into(),
            use_cases: concord.use_cases.clone(),
            pool: concord.pool.clone(),
            behind_proxy: self.config.behind_proxy,
            leptos_options: http::leptos_options(&self.config, self.addr),
            metrics: concord.metrics.clone(),
            metrics_token: self.config.metrics_token.clone(),
            pseudonyms: self.config.pseudonyms.clone(),
            stop: self.stop.clone(),
        };
        self.hosts.insert(project.clone(), http::router(state));
    }

    fn closed(&mut self, project: &Project) {
        self.hosts.remove(project);
    }
}

/// The address, and on the first run the account to sign in with; its password is shown this once.
async fn welcome(concord: &Concord, addr: SocketAddr, started: Instant) -> Result<()> {
    let first = concord.accounts.ensure_first_admin().await?;
    println!();
    println!("  Concord is up at http://{addr} ({:.1} s)", started.elapsed().as_secs_f64());
    match first {
        Some((email, password)) => {
            println!("  Sign in as {email} with the password {password}");
            println!("  It is shown this once. Change it: {} account password {email}", program());
        }
        None => {
            println!(
                "  Sign in with your account; add one: {} account add EMAIL --role annotator",
                program()
            );
        }
    }
    println!();
    Ok(())
}

/// What to type to run this program again.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "concord".into())
}

/// The demo world and a first generation over it, where nothing else is there. Each step is done once, and
/// goes on with the next start if it was cut off; without weights the generation waits for them.
async fn first_world(pool: PgPool, use_cases: UseCases) -> Result<()> {
    let mut conn = pool.acquire().await?;
    let (users, _, _) = overview::logs(&mut conn).await?;
    let demo_begun = concord_store::demo::world(&mut conn).await?.is_some();
    let generated = !generations::list(&mut conn, None, 1).await?.is_empty();
    drop(conn);
    if generated || (users > 0 && !demo_begun) {
        return Ok(());
    }
    demo::load(&pool, World { seed: 7, users: 500, items: 3000, until: None }).await?;
    let request = GenerationRequest { users: 6, ..GenerationRequest::default() };
    loop {
        match use_cases.work.generate(&compose::operator(), request.clone()).await {
            Ok(generation) => {
                tracing::info!(generation = %generation.id, "first generation queued");
                return Ok(());
            }
            Err(Error::Unavailable { .. }) => tokio::time::sleep(WAIT_FOR_WEIGHTS).await,
            Err(error) => return Err(error.into()),
        }
    }
}
