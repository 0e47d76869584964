//! The projects of a process: each is composed for itself, on a database of its own, and shares the models and the
//! process with the others. The list of databases is looked at every few seconds, so that one that is added or
//! removed by command needs no restart.

use crate::cluster::Database;
use crate::compose::{self, Concord, Shared};
use crate::config::Config;
use crate::project::Project;
use anyhow::Result;
use concord_service::audit_log;
use concord_service::jobs::{LIGHT_KINDS, MODEL_KINDS, POST_KINDS, ROUND_KINDS};
use concord_service::retention::{self, RetainArgs};
use concord_store::projects;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the list is looked at.
const LOOK: Duration = Duration::from_secs(3);
/// How long the work of a project that is gone may take to notice.
const PATIENCE: Duration = Duration::from_secs(10);

/// Told of each project that is opened, and of each that is gone.
pub trait Front: Send {
    /// It works from now on.
    fn opened(&mut self, project: &Project, concord: &Concord);
    /// It does no longer.
    fn closed(&mut self, project: &Project);
}

/// Nobody asks this process for pages: it works.
impl Front for () {
    fn opened(&mut self, _: &Project, _: &Concord) {}
    fn closed(&mut self, _: &Project) {}
}

struct Running {
    pool: PgPool,
    tell_stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

/// What runs.
pub struct Projects<F> {
    config: Config,
    database: Database,
    shared: Shared,
    front: F,
    /// The default project's: it lists the others.
    pool: PgPool,
    running: BTreeMap<Project, Running>,
}

impl<F: Front> Projects<F> {
    /// Opens the default project, and the others that there are. One of these that cannot be opened keeps nobody
    /// else waiting; it is tried again.
    ///
    /// # Errors
    /// The default project's.
    pub async fn open(
        config: &Config,
        database: &Database,
        shared: Shared,
        front: F,
    ) -> Result<(Self, Concord)> {
        let default = compose::compose_with(config, database, &shared).await?;
        let mut it = Self {
            config: config.clone(),
            database: database.clone(),
            shared,
            front,
            pool: default.pool.clone(),
            running: BTreeMap::new(),
        };
        it.start(Project::default(), &default);
        it.look().await;
        Ok((it, default))
    }

    /// Goes on until `stop`; then lets what runs end.
    pub async fn keep(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            self.look().await;
        }
        for running in self.running.values() {
            running.tell_stop.send_replace(true);
        }
        for (_, mut running) in self.running {
            while running.loops.join_next().await.is_some() {}
        }
    }

    /// Opens what is new, ends what is gone.
    async fn look(&mut self) {
        let listed = match list(&self.pool, &self.database).await {
            Ok(listed) => listed,
            // The database is away: what runs says so itself.
            Err(error) => {
                return tracing::warn!(error = format!("{error:#}"), "the projects cannot be listed");
            }
        };
        let gone: Vec<Project> =
            self.running.keys().filter(|it| !it.is_default() && !listed.contains(it)).cloned().collect();
        for project in gone {
            self.end(&project).await;
        }
        for project in listed.into_iter().filter(|it| !self.running.contains_key(it)).collect::<Vec<_>>() {
            let database = self.database.of(project.clone());
            match compose::compose_with(&self.config, &database, &self.shared).await {
                Ok(concord) => self.start(project, &concord),
                Err(error) => {
                    tracing::error!(%project, error = format!("{error:#}"), "the project cannot be opened")
                }
            }
        }
    }

    fn start(&mut self, project: Project, concord: &Concord) {
        let (tell_stop, stop) = watch::channel(false);
        let mut loops = start_workers(&self.config, concord, &stop);
        if project.is_default() {
            loops.spawn(self.database.keep_up(stop));
        }
        self.front.opened(&project, concord);
        concord.metrics.watch(project.name(), &concord.pool, &concord.use_cases);
        tracing::info!(%project, "the project is open");
        self.running.insert(project, Running { pool: concord.pool.clone(), tell_stop, loops });
    }

    async fn end(&mut self, project: &Project) {
        let Some(mut running) = self.running.remove(project) else { return };
        self.front.closed(project);
        self.shared.metrics.forget(project.name());
        running.tell_stop.send_replace(true);
        let ended = async { while running.loops.join_next().await.is_some() {} };
        // What still runs works on a database that is gone: dropping it ends it.
        tokio::time::timeout(PATIENCE, ended).await.ok();
        running.pool.close().await;
        tracing::info!(%project, "the project is gone");
    }
}

/// The projects beside the default one, by its database.
async fn list(pool: &PgPool, database: &Database) -> Result<Vec<Project>> {
    Ok(of_names(projects::names(&mut *pool.acquire().await?, &database.prefix()).await?))
}

/// The same for a command, with a connection of its own.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn listed(database: &Database) -> Result<Vec<Project>> {
    let mut conn: PgConnection = database.options().connect().await?;
    let names = projects::names(&mut conn, &database.prefix()).await?;
    conn.close().await?;
    Ok(of_names(names))
}

/// A database that somebody else calls so is no project.
fn of_names(names: Vec<String>) -> Vec<Project> {
    names
        .iter()
        .filter_map(|name| name.parse().ok())
        .filter(|project: &Project| !project.is_default())
        .collect()
}

/// One loop for model work, as many as set, one for work that needs none, one for messages to elsewhere, one for rounds; one that
/// seals the audit log, one that queues the daily retention, the watch over drift, the one that starts rounds that are due, and the one over what is
/// promoted.
fn start_workers(config: &Config, concord: &Concord, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    for _ in 0..config.workers {
        let (worker, stop) = (concord.worker.clone(), stop.clone());
        loops.spawn(async move { worker.run(&MODEL_KINDS, stop).await });
    }
    // A round trains where models work: a server without workers leaves it to others.
    let rounds: &[&str] = if config.workers == 0 { &[] } else { &ROUND_KINDS };
    for kinds in [LIGHT_KINDS.as_slice(), POST_KINDS.as_slice(), rounds] {
        if kinds.is_empty() {
            continue;
        }
        let (worker, stop) = (concord.worker.clone(), stop.clone());
        loops.spawn(async move { worker.run(kinds, stop).await });
    }
    loops.spawn(audit_log::keep_sealed(concord.pool.clone(), stop.clone()));
    let retain = RetainArgs { behaviour_days: config.retain_days };
    loops.spawn(retention::daily(concord.pool.clone(), retain, stop.clone()));
    loops.spawn(concord_service::audit::watch(concord.pool.clone(), stop.clone()));
    loops.spawn(concord_service::evolve::start_due(concord.pool.clone(), stop.clone()));
    if let Some(standing) = concord.standing.clone() {
        loops.spawn(standing.watch(stop.clone()));
    }
    loops
}
