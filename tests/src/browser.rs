//! A headless Chromium of a test's own, driven over WebDriver.

mod driver;

use crate::{TestServer, root, target};
use driver::Driver;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A browser window on a server.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    driver: Driver,
    base: String,
}

impl Browser {
    /// Opens a window of 1440 × 900 with an empty profile.
    ///
    /// # Panics
    /// When Chromium or its driver cannot be started.
    pub async fn open(server: &TestServer) -> Self {
        Self::open_at(&server.url("")).await
    }

    /// The same on any address.
    ///
    /// # Panics
    /// When Chromium or its driver cannot be started.
    pub async fn open_at(base: &str) -> Self {
        let (driver, client) = Driver::start().await;
        let browser = Self { client, driver, base: base.trim_end_matches('/').to_owned() };
        browser.resize(1440, 900).await;
        browser
    }

    /// The WebDriver client, for whatever has no helper here.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Makes the page so many pixels wide and high.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.driver.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Prefers light or dark, as the system's setting would.
    pub async fn prefer(&self, scheme: Scheme) {
        let value = if scheme == Scheme::Dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.driver.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Cuts the network, or mends it.
    pub async fn offline(&self, cut: bool) {
        self.driver.devtools("Network.enable", json!({})).await;
        let conditions =
            json!({ "offline": cut, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.driver.devtools("Network.emulateNetworkConditions", conditions).await;
    }

    /// Loads a page and waits until it can be worked with.
    ///
    /// # Panics
    /// When it does not load or hydrate.
    pub async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.expect("the page loads");
        self.hydrated().await;
    }

    /// Waits until the page can be worked with: hydrated, or a document, which has no script to wait for.
    ///
    /// # Panics
    /// When it never hydrates.
    pub async fn hydrated(&self) {
        self.wait_for("html[data-hydrated], html:not(:has(script))").await;
    }

    /// Waits for an element.
    ///
    /// # Panics
    /// When it never comes; prints the console and the page.
    pub async fn wait_for(&self, css: &str) -> fantoccini::elements::Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => {
                let console = self.console().await.join("\n");
                let source = self.client.source().await.unwrap_or_default();
                panic!("no {css}: {error}\n--- console ---\n{console}\n--- page ---\n{source}")
            }
        }
    }

    /// Waits until the page shows a text.
    ///
    /// # Panics
    /// When it never does; prints what the page shows instead.
    pub async fn wait_for_text(&self, text: &str) {
        let began = std::time::Instant::now();
        loop {
            let shown = self.text().await;
            if shown.contains(text) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the page never showed {text:?}:\n{shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the page shows.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses keys where the focus is, one after the other; see `fantoccini::key::Key` for Enter.
    ///
    /// # Panics
    /// When the page has no focus to type into.
    pub async fn press(&self, keys: &str) {
        let focus = self.client.active_element().await.expect("something has the focus");
        focus.send_keys(keys).await.expect("the keys arrive");
    }

    /// Clicks the first element that matches.
    pub async fn click(&self, css: &str) {
        self.wait_for(css).await.click().await.expect("the click arrives");
    }

    /// Types into a field, over what it holds.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.wait_for(css).await;
        field.clear().await.expect("the field empties");
        field.send_keys(text).await.expect("the text arrives");
    }

    /// Runs JavaScript in the page; `return` gives a value.
    ///
    /// # Panics
    /// When the script throws.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// Saves what is to be seen as `target/screenshots/NAME.png`.
    ///
    /// # Panics
    /// When the picture cannot be taken or written.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder).expect("a folder for screenshots");
        let path = folder.join(format!("{name}.png"));
        let picture = self.client.screenshot().await.expect("a screenshot");
        fs::write(&path, picture).expect("the screenshot is written");
        path
    }

    /// Errors on the browser's console since the last call.
    pub async fn console_errors(&self) -> Vec<String> {
        self.driver.console("SEVERE").await
    }

    /// All lines on the browser's console since the last call.
    pub async fn console(&self) -> Vec<String> {
        self.driver.console("").await
    }

    /// What axe-core objects to on this page: a line a rule, with the elements.
    ///
    /// # Panics
    /// When axe-core is not installed or fails.
    pub async fn accessibility(&self) -> Vec<String> {
        let path = root().join("tests/browser/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(&path).expect("axe-core is installed: bash tools/setup.sh test");
        self.client.execute(&axe, Vec::new()).await.expect("axe-core loads");
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then(
                found => done(found.violations.map(it =>
                    `${it.id} (${it.impact}): ${it.nodes.map(node => node.target.join(' ')).join(', ')}`)),
                error => done([`axe failed: ${error}`]))";
        let found = self.client.execute_async(script, Vec::new()).await.expect("axe-core runs");
        let lines = found.as_array().cloned().unwrap_or_default();
        lines.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Closes the window; a dropped one is closed too, by force.
    pub async fn close(self) {
        self.client.close().await.ok();
    }
}
