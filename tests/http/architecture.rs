//! Dependencies point one way, SQL has one home, and the two halves of wasm-bindgen agree.

use concord_tests::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may depend on of ours; `concord-server` sees all.
const RULES: [(&str, &[&str]); 13] = [
    ("concord-domain", &[]),
    ("concord-agreement", &[]),
    ("concord-app", &["concord-domain"]),
    ("concord-store", &["concord-domain"]),
    ("concord-pipeline", &["concord-domain"]),
    ("concord-inference", &["concord-domain", "concord-kernels"]),
    ("concord-kernels", &[]),
    ("concord-retrieval", &["concord-domain"]),
    ("concord-export", &["concord-domain"]),
    (
        "concord-service",
        &[
            "concord-domain",
            "concord-store",
            "concord-pipeline",
            "concord-agreement",
            "concord-export",
            "concord-retrieval",
        ],
    ),
    ("concord-training", &[]),
    ("concord-bundle", &[]),
    ("concord-tests", &[]),
];

#[test]
fn dependencies_point_one_way() {
    let ours = our_dependencies();
    for (package, allowed) in RULES {
        let found = ours.get(package).unwrap_or_else(|| panic!("no crate {package}"));
        let wrong: Vec<_> = found.iter().filter(|it| !allowed.contains(&it.as_str())).collect();
        assert!(wrong.is_empty(), "{package} must not depend on {wrong:?}");
    }
    let ruled: BTreeSet<_> = RULES.iter().map(|(name, _)| *name).chain(["concord-server"]).collect();
    let all: BTreeSet<_> = ours.keys().map(String::as_str).collect();
    assert_eq!(all, ruled, "every crate has its rule");
}

#[test]
fn sql_lives_in_the_store() {
    let mut wrong = Vec::new();
    for folder in ["app", "server", "tools"] {
        for file in sources(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source file");
            if !file.starts_with(root().join("server/store")) && text.contains("sqlx::query") {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "sqlx::query outside server/store: {wrong:?}");
}

#[test]
fn both_halves_of_wasm_bindgen_are_of_one_version() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let version = |name: &str| {
        let start = lock.find(&format!("name = \"{name}\"\n")).unwrap_or_else(|| panic!("{name} is locked"));
        lock[start..].lines().nth(1).expect("a version").to_owned()
    };
    assert_eq!(version("wasm-bindgen"), version("wasm-bindgen-cli-support"));
}

/// Our crates, each with those of ours that it depends on outside its own tests.
fn our_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root());
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let ours = dependencies.iter().filter(|it| it["kind"].is_null() && it["path"].is_string());
            (text(&package["name"]), ours.map(|it| text(&it["name"])).collect())
        })
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            // Tests may look into the database to see what came of a use case.
            if !path.ends_with("tests") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}
