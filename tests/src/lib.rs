//! The harness: the real server on a free port with a database of its own, and a real browser.
//!
//! Helpers panic with a sentence: in a test that is the clearest way to fail.

pub mod audited;
mod browser;
mod database;
mod network;
mod provider;
mod server;
mod volumes;
mod world;

pub use browser::{Browser, Scheme};
pub use database::TestDatabase;
pub use network::Network;
pub use provider::Provider;
pub use server::TestServer;
pub use volumes::Volume;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository's root")
}

/// The folder cargo builds into: a test lies in `TARGET/debug/deps`.
#[must_use]
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    test.ancestors().nth(3).expect("the target folder").to_owned()
}

/// A loopback port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
