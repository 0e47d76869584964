//! The real `concord serve`: started, killed, started again, asked over HTTP and by command.

use crate::{TestDatabase, free_port, root, target};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a start may take on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(60);

/// A running server with a database and a data folder of its own.
#[derive(Debug)]
pub struct TestServer {
    process: Option<Child>,
    settings: Vec<(String, String)>,
    database: Arc<TestDatabase>,
    folder: tempfile::TempDir,
    port: u16,
}

impl TestServer {
    /// Starts one without a model worker.
    ///
    /// # Panics
    /// When it does not start; prints its log.
    pub async fn start() -> Self {
        Self::start_with(&[("CONCORD_WORKERS", "0")]).await
    }

    /// Starts one with these environment variables, e.g. `("CONCORD_GENERATOR_MODEL", "tiny")`.
    ///
    /// # Panics
    /// When it does not start; prints its log.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Arc::new(TestDatabase::create().await);
        let mut server = Self { process: None, settings, database, folder, port: free_port() };
        server.restart().await;
        server
    }

    /// Starts another one on the same database, with a port and a data folder of its own.
    ///
    /// # Panics
    /// When it does not start; prints its log.
    pub async fn beside(&self) -> Self {
        self.on(Arc::clone(&self.database)).await
    }

    /// Starts another one with the same settings on another database.
    ///
    /// # Panics
    /// When it does not start; prints its log.
    pub async fn on(&self, database: Arc<TestDatabase>) -> Self {
        let settings = self.settings.clone();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self { process: None, settings, database, folder, port: free_port() };
        server.restart().await;
        server
    }

    /// Starts it (again) on the same port, database and data folder, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not start; prints its log.
    pub async fn restart(&mut self) {
        self.kill();
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut command = self.concord(&["serve"]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("the log again")).stderr(log);
        self.process = Some(command.spawn().expect("concord starts"));
        let began = Instant::now();
        let ready = self.url("/readyz");
        while !reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success()) {
            let ended = self.process.as_mut().and_then(|it| it.try_wait().ok().flatten());
            assert!(
                ended.is_none() && began.elapsed() < START,
                "the server is not ready ({ended:?}):\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it as `kill -9` does; what it had not stored is lost.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }

    /// Asks it to stop as Ctrl-C does; gives whether it ended well.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        let asked = Command::new("kill").args(["-INT", &process.id().to_string()]).status();
        assert!(asked.is_ok_and(|it| it.success()), "kill runs");
        process.wait().is_ok_and(|status| status.success())
    }

    /// The full address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The database's address.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A client with cookies of its own that follows no redirect, so that a test sees each answer.
    ///
    /// # Panics
    /// Never on a machine that can open sockets.
    #[must_use]
    pub fn client(&self) -> reqwest::Client {
        let client =
            reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none());
        client.timeout(Duration::from_secs(60)).build().expect("a client")
    }

    /// Runs another command on the same database, e.g. `["import", "users", "FILE"]`.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub async fn command(&self, args: &[&str]) -> Output {
        let mut command = self.concord(args);
        tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("not cancelled")
            .expect("concord runs")
    }

    /// Runs a command on another database.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub async fn command_on(&self, database: &TestDatabase, args: &[&str]) -> Output {
        let mut command = self.concord(args);
        command.env("DATABASE_URL", database.url());
        tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("not cancelled")
            .expect("concord runs")
    }

    /// Puts so many tags without verdicts up for review.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn plain_samples(&self, n: i32) {
        self.plain_samples_from(1, n).await;
    }

    /// The same, with keys and places from `first` on.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn plain_samples_from(&self, first: i32, n: i32) {
        let pool = sqlx::PgPool::connect(self.database_url()).await.expect("the test's database");
        sqlx::query(
            "insert into samples (id, key, task, text, half, rubric_version, overlap, open_slots, serve_order)
             select gen_random_uuid(), 's' || n, 'tag', 'text', 'train', r.version, 1, 1, n
             from generate_series($1, $1 + $2 - 1) n, rubrics r where r.task = 'tag' and r.current",
        )
        .bind(first)
        .bind(n)
        .execute(&pool)
        .await
        .expect("samples");
    }

    /// Starts another process on the same database and data folder, e.g. `["work"]`, with further variables.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn spawn(&self, args: &[&str], settings: &[(&str, &str)]) -> Child {
        let mut command = self.concord(args);
        command
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("concord starts")
    }

    /// Adds an account and gives its bearer token.
    ///
    /// # Panics
    /// When the command fails.
    pub async fn account(&self, email: &str, role: &str) -> String {
        let output = self.command(&["account", "add", email, "--role", role, "--token"]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "account add: {said}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.split_whitespace().last().expect("a token").to_owned()
    }

    /// Adds an account with this password, to sign in with in a browser.
    ///
    /// # Panics
    /// When the command fails.
    pub async fn account_with_password(&self, email: &str, role: &str, password: &str) {
        let mut command = self.concord(&["account", "add", email, "--role", role, "--password-stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("concord runs");
        child.stdin.take().expect("its input").write_all(password.as_bytes()).expect("the password arrives");
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("not cancelled");
        assert!(ended.is_ok_and(|status| status.success()), "account add {email}");
    }

    /// What the server has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn concord(&self, args: &[&str]) -> Command {
        let program = target().join("debug/concord");
        assert!(program.is_file(), "{} is not there: cargo build -p concord-server", program.display());
        let mut command = Command::new(program);
        command.args(args).current_dir(root());
        // One thread a model: candle's pool spins, and the tests share few cores.
        command.env("RAYON_NUM_THREADS", "1").env("CONCORD_SITE", target().join("site"));
        command.env("DATABASE_URL", self.database.url()).env("CONCORD_DATA", self.data());
        command.env("CONCORD_ADDR", format!("127.0.0.1:{}", self.port));
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let troubles: Vec<&str> =
                log.lines().filter(|line| line.contains(" ERROR ") || line.contains(" WARN ")).collect();
            eprintln!(
                "--- the server's log ---\n{log}\n--- its warnings and errors ---\n{}",
                troubles.join("\n")
            );
        }
    }
}
