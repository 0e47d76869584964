//! The wasm itself: cargo with the profile that puts size before speed.

use crate::Paths;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// Compiles `concord-app` for the browser and gives the path of the wasm.
pub(crate) fn app(paths: &Paths) -> Result<PathBuf> {
    // The cargo that started us, so that a pinned toolchain stays the same.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(&paths.root)
        .args(["build", "-p", "concord-app", "--lib", "--target", "wasm32-unknown-unknown"])
        .args(["--features", "hydrate", "--profile", "wasm-release"])
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the browser's half did not compile");
    Ok(paths.target.join("wasm32-unknown-unknown/wasm-release/concord_app.wasm"))
}
