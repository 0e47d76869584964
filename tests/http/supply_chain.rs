//! What the program is made of, checked against deny.toml; and the files that deploy it.

use concord_tests::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// The quoted words of a list in deny.toml.
fn list(key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let (_, rest) = text.split_once(&format!("\n{key} = [")).expect("the list");
    let (list, _) = rest.split_once("\n]").or_else(|| rest.split_once(']')).expect("its end");
    list.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Whether an SPDX expression can be satisfied by these licences. `/` is the old way to write OR.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    any_of(&mut words, allowed)
}

fn any_of(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut found = all_of(words, allowed);
    while words.last() == Some(&"OR") {
        words.pop();
        let other = all_of(words, allowed);
        found |= other;
    }
    found
}

fn all_of(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut every = one(words, allowed);
    while words.last() == Some(&"AND") {
        words.pop();
        let other = one(words, allowed);
        every &= other;
    }
    every
}

fn one(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    match words.pop() {
        Some("(") => {
            let inner = any_of(words, allowed);
            words.pop();
            inner
        }
        Some(name) if words.last() == Some(&"WITH") => {
            words.pop();
            let exception = words.pop().unwrap_or_default();
            allowed.contains(&format!("{name} WITH {exception}"))
        }
        Some(name) => allowed.contains(name),
        None => false,
    }
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed: BTreeSet<String> =
        ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, may) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR ISC) AND MIT", true),
        ("(GPL-3.0 AND ISC) OR AGPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
        ("Apache-2.0", false),
        ("", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), may, "{expression}");
    }
}

#[test]
fn every_dependency_has_an_allowed_licence_and_comes_from_one_registry() {
    let allowed = list("allow");
    assert!(allowed.contains("MIT") && allowed.len() > 10);
    let (mut wrong, mut sources) = (Vec::new(), BTreeSet::new());
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        let source = package["source"].as_str().unwrap_or("ours");
        if source != "ours" {
            sources.insert(source.to_owned());
        }
        if !satisfied(licence, &allowed) {
            wrong.push(format!("{} {licence:?} {source}", package["name"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let registries = sources.iter().filter(|source| source.starts_with("registry+")).count();
    assert_eq!((registries, sources.len()), (1, 1), "one registry and nothing else: {sources:?}");
}

#[test]
fn what_is_banned_is_not_there() {
    let banned = list("deny");
    assert!(banned.contains("openssl-sys"));
    let found: Vec<Value> = packages()
        .into_iter()
        .filter(|it| banned.contains(it["name"].as_str().unwrap_or_default()))
        .collect();
    assert!(found.is_empty(), "{:?}", found.iter().map(|it| &it["name"]).collect::<Vec<_>>());
}

#[test]
fn every_weight_is_named_by_its_hash() {
    let text = fs::read_to_string(root().join("models/catalogue.toml")).expect("the catalogue");
    let hashes = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("sha256")?.split('"').nth(1))
        .collect::<Vec<_>>();
    assert!(hashes.len() > 5);
    assert!(hashes.iter().all(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

#[test]
fn the_files_that_deploy_are_sound() {
    let output =
        Command::new("bash").arg("tools/lint-deploy.sh").current_dir(root()).output().expect("bash runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    // What a machine lacks is skipped with a word; what every machine that builds has is not.
    assert!(said.contains("units: ") && said.contains("rules: "), "{said}");
}
