//! The database: does it answer, is it new enough, is its schema this program's, does its clock agree.

use super::Check;
use crate::cluster::{self, Database};
use crate::config::Config;
use crate::projects;
use jiff::Timestamp;
use sqlx::migrate::Migrate;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection, Executor, Row};
use std::time::Duration;

/// The oldest PostgreSQL that the schema runs on, as `server_version_num` counts.
const OLDEST: u32 = 15_00_00;
/// Leases and sessions go by the database's clock, log lines by ours.
const MOST_SKEW: f64 = 5.0;
/// A server that is there answers sooner.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn check(config: &Config) -> Vec<Check> {
    if !cluster::made(config) {
        return vec![match cluster::programs() {
            Ok(version) => Check::ok(
                "database",
                format!("none yet; `concord serve` makes one with PostgreSQL {version}"),
            ),
            Err(error) => Check::problem("database", "no PostgreSQL", error.to_string()),
        }];
    }
    let database = match cluster::open(config).await {
        Ok(database) => database,
        Err(error) => return vec![Check::problem("database", "cannot be opened", error.to_string())],
    };
    let mut checks = match tokio::time::timeout(PATIENCE, database.options().connect()).await {
        Ok(Ok(mut connection)) => {
            let mut checks = look(&database, &mut connection).await;
            connection.close().await.ok();
            for project in projects::listed(&database).await.unwrap_or_default() {
                checks.push(of_project(&database.of(project)).await);
            }
            checks
        }
        Ok(Err(error)) => vec![unreachable(&database, &error.to_string())],
        Err(_) => vec![unreachable(&database, "no answer")],
    };
    if let Err(error) = database.close().await {
        checks.push(Check::problem("database", "would not stop", error.to_string()));
    }
    checks
}

/// Whether a project beside the default one can be opened, and its schema.
async fn of_project(database: &Database) -> Check {
    let name = format!("project {}", database.project());
    let check = match database.options().connect().await {
        Ok(mut connection) => {
            let check = schema(&mut connection).await;
            connection.close().await.ok();
            check
        }
        Err(error) => Check::problem("", error.to_string(), "see the database's log"),
    };
    Check { name, ..check }
}

fn unreachable(database: &Database, why: &str) -> Check {
    let mend = "start that server, or correct DATABASE_URL, or unset it to use a private cluster";
    Check::problem("database", format!("{}: {why}", database.describe()), mend)
}

async fn look(database: &Database, connection: &mut PgConnection) -> Vec<Check> {
    let version = connection.server_version_num().unwrap_or_default();
    let found = format!("PostgreSQL {}.{}, {}", version / 10_000, version % 10_000, database.describe());
    let server = if version >= OLDEST {
        Check::ok("database", found)
    } else {
        Check::problem("database", found, "use PostgreSQL 15 or newer")
    };
    vec![server, schema(connection).await, clock(connection).await]
}

async fn schema(connection: &mut PgConnection) -> Check {
    let migrator = &concord_store::MIGRATOR;
    // An error means that there is no such table yet: a database that was never migrated.
    let applied = connection.list_applied_migrations(&migrator.table_name).await.unwrap_or_default();
    let wanted = migrator.iter().count();
    let known = applied.iter().filter(|it| migrator.version_exists(it.version)).count();
    let found = format!("{known} of {wanted} migrations applied");
    if applied.len() > known {
        let mend = "this database was used by a newer concord: run that one";
        return Check::problem("schema", format!("{found}, {} unknown", applied.len() - known), mend);
    }
    if known < wanted {
        Check::problem("schema", found, "concord migrate")
    } else {
        Check::ok("schema", found)
    }
}

async fn clock(connection: &mut PgConnection) -> Check {
    match connection.fetch_one("select extract(epoch from clock_timestamp())::float8").await {
        Ok(row) => {
            let theirs: f64 = row.get(0);
            let ours = Timestamp::now().as_duration().as_secs_f64();
            let skew = (theirs - ours).abs();
            let found = format!("{skew:.1} s between this machine and the database");
            if skew < MOST_SKEW {
                Check::ok("clock", found)
            } else {
                Check::problem(
                    "clock",
                    found,
                    "set both clocks by NTP, e.g. systemctl start systemd-timesyncd",
                )
            }
        }
        Err(error) => Check::problem("clock", error.to_string(), "see the database's log"),
    }
}
