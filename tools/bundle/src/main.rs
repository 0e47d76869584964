//! Builds the browser's half: the wasm of `concord-app`, its JavaScript, one style sheet and the
//! assets, each with `.br` and `.gz` twins, into `target/site`.
//!
//! wasm-bindgen runs in this process as a library, pinned beside the macro it must match, so there
//! is no tool to install and no version to drift. `wasm-opt` (Debian's binaryen) is the one program
//! needed besides cargo. Nothing is redone when nothing changed.

mod compile;
mod compress;
mod optimise;
mod report;
mod stamp;
mod styles;
mod tables;

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Name of the files under `pkg/`, as `LEPTOS_OUTPUT_NAME` in `.cargo/config.toml` has it.
const NAME: &str = "concord";

/// Where things lie, from the repository root.
struct Paths {
    root: PathBuf,
    target: PathBuf,
    site: PathBuf,
}

impl Paths {
    /// This crate lies two folders below the root; cargo's target folder may be moved by its variable.
    fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |moved| root.join(moved));
        Ok(Self { site: target.join("site"), root, target })
    }
}

fn main() -> Result<()> {
    let started = Instant::now();
    let paths = Paths::find()?;
    let wasm = compile::app(&paths)?;
    let css = styles::bundle(&paths.root.join("style/main.css"))?;
    let assets = paths.root.join("app/assets");

    // cargo has just said whether the wasm is fresh; the rest is decided by content.
    let stamp = stamp::of(&[&wasm, &std::env::current_exe()?], &css, &assets)?;
    let stamp_file = paths.target.join("site.stamp");
    if stamp::same(&stamp_file, &stamp) && paths.site.is_dir() {
        println!("bundle: {} is up to date ({:.1} s)", paths.site.display(), started.elapsed().as_secs_f32());
        return Ok(());
    }

    // Built aside and swapped in whole: a server that runs meanwhile never serves a half-written file.
    let fresh = paths.target.join("site.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).with_context(|| format!("cannot empty {}", fresh.display()))?;
    }
    let pkg = fresh.join("pkg");
    fs::create_dir_all(&pkg)?;

    let sizes = optimise::wasm(&wasm, &pkg)?;
    fs::write(pkg.join(format!("{NAME}.css")), css)?;
    copy_tree(&assets, &fresh)?;
    let twins = compress::tree(&fresh)?;

    if paths.site.exists() {
        fs::remove_dir_all(&paths.site)?;
    }
    fs::rename(&fresh, &paths.site)?;
    stamp::write(&stamp_file, &stamp)?;
    report::print(&sizes, &twins, started.elapsed());
    Ok(())
}

/// Copies a folder's content; a folder that is not there has none.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
