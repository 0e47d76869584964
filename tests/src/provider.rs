//! A real OpenID Connect provider on loopback: npm's `oidc-provider`, run by node (tests/oidc).

use crate::{TestServer, free_port, root};
use reqwest::{Client, StatusCode, Url};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running provider.
#[derive(Debug)]
pub struct Provider {
    process: Option<Child>,
    port: u16,
}

impl Provider {
    /// Its client's secret: signs that the form's encoding changes, as RFC 6749 asks for.
    pub const SECRET: &str = "not-much: of a secret";

    /// A port for one; it runs once [`Provider::start`] has been told where to send people back to.
    #[must_use]
    pub fn reserve() -> Self {
        Self { process: None, port: free_port() }
    }

    /// Its issuer's address.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The settings of a server that people sign in to with it.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CONCORD_WORKERS", "0".into()),
            ("CONCORD_OIDC_ISSUER", self.issuer()),
            ("CONCORD_OIDC_CLIENT_ID", "concord".into()),
            ("CONCORD_OIDC_CLIENT_SECRET", Self::SECRET.into()),
        ]
    }

    /// Starts it, or starts it anew, with a signing key of that name.
    ///
    /// # Panics
    /// When node or what npm installs is not there.
    pub async fn start(&mut self, server: &TestServer, key: &str) {
        self.end();
        let mut node = Command::new("node");
        node.args(["tests/oidc/provider.mjs", &self.port.to_string(), &server.url("/sign-in/return"), key]);
        node.current_dir(root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(node.spawn().expect("node runs"));
        let address = format!("{}/.well-known/openid-configuration", self.issuer());
        let began = Instant::now();
        while !reqwest::get(&address).await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "no provider: npm ci --prefix tests/oidc, node {}",
                root().join("tests/oidc/provider.mjs").display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Goes through the provider's pages as this person, from the address a server sent them to, until it leads back
    /// to that server; gives that address.
    ///
    /// # Panics
    /// When the pages are not as they were.
    pub async fn pass(client: &Client, from: &str, person: &str) -> String {
        let start = Url::parse(from).expect("an address");
        let mut url = start.clone();
        for _ in 0..12 {
            let answer = client.get(url.clone()).send().await.expect("the provider answers");
            let mut leads = answer.headers().get("location").cloned();
            let status = answer.status();
            if leads.is_none() {
                let page = answer.text().await.expect("a page");
                assert_eq!(status, StatusCode::OK, "{page}");
                let form = url.join(between(&page, "action=\"", "\"")).expect("a form's address");
                let prompt = between(&page, "name=\"prompt\" value=\"", "\"").to_owned();
                let login = person.replace('@', "%40").replace('+', "%2B");
                let body = format!("prompt={prompt}&login={login}&password=x");
                let form = client.post(form).header("content-type", "application/x-www-form-urlencoded");
                let answer = form.body(body).send().await.expect("the provider answers");
                leads = answer.headers().get("location").cloned();
            }
            let leads = leads.expect("on to another page");
            url = url.join(leads.to_str().expect("text")).expect("an address");
            if url.port() != start.port() {
                return url.into();
            }
        }
        panic!("the provider leads in a circle: {url}");
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.end();
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).map_or(rest, |(found, _)| found)
}
