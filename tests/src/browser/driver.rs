//! The chromedriver process, its session, and the two of its calls that WebDriver's standard lacks.

use crate::free_port;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A driver with one session; ended when dropped.
#[derive(Debug)]
pub(super) struct Driver {
    process: Child,
    session: String,
    _profile: tempfile::TempDir,
}

impl Driver {
    pub(super) async fn start() -> (Self, Client) {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().expect("chromedriver starts: apt-get install chromium-driver");
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut driver = Self { process, session: String::new(), _profile: profile };

        let began = Instant::now();
        while reqwest::get(format!("{url}/status")).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let profile = driver._profile.path().display().to_string();
        let wishes = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
                format!("--user-data-dir={profile}"),
            ] },
        });
        let wishes = wishes.as_object().cloned().unwrap_or_default();
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(wishes).connect(&url).await;
        let client = client.expect("Chromium opens: apt-get install chromium");
        let id = client.session_id().await.expect("a session").expect("with an id");
        driver.session = format!("{url}/session/{id}");
        (driver, client)
    }

    /// One command of Chromium's DevTools protocol.
    pub(super) async fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }

    /// The console's lines of a level since the last call; an empty level takes all.
    pub(super) async fn console(&self, level: &str) -> Vec<String> {
        let lines = self.post("se/log", json!({ "type": "browser" })).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let wanted = lines.iter().filter(|line| level.is_empty() || line["level"] == level);
        wanted.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn post(&self, call: &str, body: Value) -> Value {
        let request = reqwest::Client::new().post(format!("{}/{call}", self.session)).json(&body);
        let answer: Value = request.send().await.expect("the driver answers").json().await.expect("in JSON");
        assert!(answer["value"]["error"].is_null(), "{call}: {answer}");
        answer["value"].clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked first: a driver that is killed would leave its Chromium behind.
        let (host, path) = split(&self.session);
        driver_quit(&host, &path);
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Deletes the session over a plain socket: drop cannot wait on the test's runtime.
fn driver_quit(host: &str, path: &str) {
    use std::io::{Read, Write};
    if let Ok(mut socket) = std::net::TcpStream::connect(host) {
        socket.set_read_timeout(Some(Duration::from_secs(10))).ok();
        write!(socket, "DELETE {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok();
        // The answer comes when the browser has ended.
        socket.read_to_end(&mut Vec::new()).ok();
    }
}

fn split(session: &str) -> (String, String) {
    let rest = session.trim_start_matches("http://");
    rest.split_once('/').map_or_else(Default::default, |(host, path)| (host.to_owned(), format!("/{path}")))
}
