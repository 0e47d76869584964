//! A database a test, on the server that `DATABASE_URL` names; dropped with the test.

use reqwest::Url;
use sqlx::Postgres;
use sqlx::migrate::MigrateDatabase;

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
            runtime.map(|runtime| runtime.block_on(Postgres::force_drop_database(&url)))
        });
        dropped.join().ok();
    }
}
