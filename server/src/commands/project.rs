//! `concord project`: teams that share this server and nothing else. Each has a database of its own, and with it its
//! accounts, tokens, samples, audit log and exports.

use super::{Outcome, Run};
use crate::cluster::Database;
use crate::project::Project;
use crate::{compose, projects};
use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use concord_service::accounts::AccountsService;
use concord_store::events;
use serde_json::json;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::fs;
use std::io::{ErrorKind, Write};

/// Projects.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a project and print its first account; servers that run open it within seconds.
    Add {
        /// Its name, which becomes part of its host name: a-z, 0-9 and hyphens.
        name: Project,
    },
    /// List every project with its host name.
    List {
        /// Names alone, one a line, for scripts.
        #[arg(long)]
        names: bool,
    },
    /// Delete a project with everything in it: people, labels, audit log, exports.
    Remove {
        /// Its name.
        name: Project,
        /// Its name again; asked for where it is not given.
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.all_projects("this command is about")?;
    run.with_database(async |default| match args.action {
        Action::Add { name } => add(run, default, name).await,
        Action::List { names } => list(run, default, names).await,
        Action::Remove { name, confirm } => remove(run, default, name, confirm).await,
    })
    .await
}

/// Makes the database of a project; one that an administrator has made, and that is empty, will do.
///
/// # Errors
/// In words for the person at the terminal.
pub(super) async fn create(default: &Database, name: &str) -> Result<()> {
    let mut conn: PgConnection = default.options().connect().await?;
    let made = concord_store::projects::create(&mut conn, name).await;
    conn.close().await?;
    made.with_context(|| {
        format!(
            "the database {name:?} could not be made; have an administrator make it, empty and owned by the role of \
             DATABASE_URL, and run this again"
        )
    })
}

async fn add(run: &Run, default: &Database, project: Project) -> Result<Outcome> {
    if project.is_default() {
        bail!("the default project is there already");
    }
    let name = project.database(default.name()).map_err(anyhow::Error::msg)?;
    // The default project's schema first: a server that runs, or this, is to find it as it must be.
    let pool = compose::connect(&run.config, default).await?;
    compose::prepare(&pool, &run.config, default).await?;
    let database = default.of(project.clone());
    if projects::listed(default).await?.contains(&project) {
        let mut conn: PgConnection = database.options().connect().await?;
        let in_use = concord_store::projects::is_in_use(&mut conn).await?;
        conn.close().await?;
        if in_use {
            bail!("there is a project {project} already");
        }
    } else {
        create(default, &name).await?;
    }
    let own = compose::connect(&run.config, &database).await?;
    compose::prepare(&own, &run.config, &database).await?;
    let first = AccountsService::new(own.clone()).ensure_first_admin().await?;
    own.close().await;
    let detail = json!({ "database": name });
    events::append(&mut *pool.acquire().await?, None, "project_added", project.name(), &detail).await?;
    pool.close().await;
    let host = project.host(&run.config.base_host);
    let (email, password) = first.unwrap_or_default();
    if run.json {
        let made = json!({ "project": project.name(), "database": name, "host": host, "email": email,
            "password": password });
        println!("{made}");
        return Ok(Outcome::Done);
    }
    println!("project {project} at {host}");
    if !password.is_empty() {
        println!("sign in there as {email} with the password {password}; it is shown this once");
    }
    Ok(Outcome::Done)
}

async fn list(run: &Run, default: &Database, names: bool) -> Result<Outcome> {
    let others = projects::listed(default).await?;
    let all = std::iter::once(Project::default()).chain(others).map(|project| {
        let database = project.database(default.name()).unwrap_or_default();
        let host = project.host(&run.config.base_host);
        (project, database, host)
    });
    if run.json {
        let all: Vec<_> = all
            .map(|(project, database, host)| json!({ "project": project.name(), "database": database, "host": host }))
            .collect();
        println!("{}", json!(all));
        return Ok(Outcome::Done);
    }
    for (project, database, host) in all {
        if names {
            println!("{project}");
        } else {
            println!("{:<32} {host:<48} {database}", project.name());
        }
    }
    Ok(Outcome::Done)
}

async fn remove(run: &Run, default: &Database, project: Project, confirm: Option<String>) -> Result<Outcome> {
    if project.is_default() {
        bail!("the default project cannot be removed");
    }
    if !projects::listed(default).await?.contains(&project) {
        bail!("there is no project {project}: `concord project list` names them");
    }
    let again = match confirm {
        Some(again) => again,
        None => ask(&project)?,
    };
    if again.trim() != project.name() {
        bail!("{:?} is not {project}; nothing was deleted", again.trim());
    }
    let name = project.database(default.name()).map_err(anyhow::Error::msg)?;
    let mut conn: PgConnection = default.options().connect().await?;
    concord_store::projects::remove(&mut conn, &name)
        .await
        .with_context(|| format!("{name} is still there"))?;
    let detail = json!({ "database": name });
    events::append(&mut conn, None, "project_removed", project.name(), &detail).await?;
    conn.close().await?;
    let exports = run.config.exports_of(&project);
    for folder in [project.folder(&run.config.data), exports.clone().into()] {
        match fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => bail!("the database is gone, {} is not: {error}", folder.display()),
        }
    }
    if exports.contains("://") {
        eprintln!("its exports are still at {exports}");
    }
    if run.json {
        println!("{}", json!({ "removed": project.name() }));
    } else {
        println!("project {project} is deleted; its backups are where you have put them");
    }
    Ok(Outcome::Done)
}

fn ask(project: &Project) -> Result<String> {
    eprint!(
        "This deletes the project {project} with all its people, labels and exports. Type its name again: "
    );
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line)
}
