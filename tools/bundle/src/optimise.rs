//! From cargo's wasm to what a browser loads: wasm-bindgen in process, then `wasm-opt -Oz`.

use crate::{NAME, tables};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

/// The wasm's size after each step, in bytes.
pub(crate) struct Sizes {
    pub(crate) compiled: u64,
    pub(crate) bound: u64,
    pub(crate) optimised: u64,
}

/// What rustc's wasm target emits today; `wasm-opt` refuses code with a feature it was not told of.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Writes `NAME.js` and `NAME.wasm` into `pkg`, and the JavaScript snippets they import.
pub(crate) fn wasm(compiled: &Path, pkg: &Path) -> Result<Sizes> {
    Bindgen::new()
        .input_path(compiled)
        .out_name(NAME)
        .web(true)?
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(true)
        .generate(pkg)
        .context("wasm-bindgen failed")?;

    // leptos asks for `NAME.wasm` where LEPTOS_OUTPUT_NAME is set, not for wasm-bindgen's `NAME_bg.wasm`.
    let bound = pkg.join(format!("{NAME}_bg.wasm"));
    let optimised = pkg.join(format!("{NAME}.wasm"));
    let status = Command::new("wasm-opt")
        .arg("-Oz")
        .args(FEATURES)
        .arg(&bound)
        .arg("-o")
        .arg(&optimised)
        .status()
        .context("cannot start wasm-opt: apt-get install binaryen")?;
    ensure!(status.success(), "wasm-opt failed");

    let mut mended = fs::read(&optimised)?;
    tables::mend(&fs::read(&bound)?, &mut mended)?;
    fs::write(&optimised, mended)?;

    let sizes = Sizes { compiled: size(compiled)?, bound: size(&bound)?, optimised: size(&optimised)? };
    fs::remove_file(bound)?;
    Ok(sizes)
}

fn size(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file)?.len())
}
