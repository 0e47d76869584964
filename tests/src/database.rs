//! A database a test, on the server that `DATABASE_URL` names; dropped with the test.

use reqwest::Url;
use sqlx::migrate::MigrateDatabase;
use sqlx::{AssertSqlSafe, Connection, Postgres};

/// A fresh, empty database.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
}

impl TestDatabase {
    /// Makes one.
    ///
    /// # Panics
    /// Without `DATABASE_URL`, or when its server refuses.
    pub async fn create() -> Self {
        // Every test passes here before its first request. That another did it already is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = std::env::var("DATABASE_URL").expect("DATABASE_URL is set: run `make test`");
        let mut url = Url::parse(&base).expect("DATABASE_URL is an address");
        url.set_path(&format!("concord_test_{:016x}", rand::random::<u64>()));
        let url = String::from(url);
        Postgres::create_database(&url).await.expect("a database of the test's own");
        Self { url }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let url = self.url.clone();
        // A runtime of its own: drop cannot wait on the test's.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| {
                runtime.block_on(async {
                    drop_projects(&url).await.ok();
                    Postgres::force_drop_database(&url).await
                })
            })
        });
        dropped.join().ok();
    }
}

/// Drops the databases of projects that a test has made beside this one.
async fn drop_projects(url: &str) -> Result<(), sqlx::Error> {
    let mut conn = sqlx::PgConnection::connect(url).await?;
    let names: Vec<String> = sqlx::query_scalar(
        "select datname::text from pg_database where starts_with(datname, current_database() || '--')",
    )
    .fetch_all(&mut conn)
    .await?;
    for name in names {
        sqlx::query(AssertSqlSafe(format!("drop database \"{name}\" with (force)")))
            .execute(&mut conn)
            .await?;
    }
    conn.close().await
}
