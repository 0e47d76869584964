//! The program as a person runs it: exit codes, JSON, what it says when something is wrong.
//!
//! Being an integration test of this package, it also makes `cargo test` build the program that the
//! HTTP and browser tests start.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn concord(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    command.current_dir(root).env_remove("DATABASE_URL").env("CONCORD_DATA", data).args(args);
    command.output().expect("concord runs")
}

#[test]
fn a_wrong_command_or_setting_is_usage() {
    let folder = tempfile::tempdir().expect("temporary folder");
    assert_eq!(concord(folder.path(), &["fly"]).status.code(), Some(2));
    let output = concord(folder.path(), &["doctor", "--addr", "here"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("setting `addr` (from flag)"), "{said}");
}

#[test]
fn doctor_lists_every_setting_and_makes_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let data = folder.path().join("data");
    let output =
        concord(&data, &["doctor", "--json", "--llm-url", "http://127.0.0.1:1/v1", "--llm-model", "m"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["settings"].as_array().map(Vec::len), Some(concord_server::config::SETTINGS.len()));
    let checks = report["checks"].as_array().expect("checks");
    let named = |name: &str| checks.iter().find(|check| check["name"] == name);
    assert_eq!(named("database").map(|check| &check["ok"]), Some(&Value::Bool(true)));
    assert!(checks.iter().all(|check| check["ok"] == true || check["mend"].is_string()), "{checks:?}");
    assert!(!data.exists(), "a look leaves nothing behind");
}
