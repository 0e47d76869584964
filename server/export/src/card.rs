//! `README.md`: the data set's card, for people, with the front matter that the Hub and `datasets` read.

use crate::manifest::Manifest;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The card of an export. `files` are TRL's data files, train first, or else those of the first layout.
#[must_use]
pub fn card(manifest: &Manifest, files: &[String]) -> String {
    let mut text = front_matter(manifest, files);
    let policy = &manifest.policy;
    let target = policy["target"].as_str().unwrap_or_default();
    let _ = writeln!(text, "# Agreed samples for {target}\n");
    let _ = writeln!(
        text,
        "{} rows ({} held out by user), written by Concord {}. `manifest.json` has the counts, the policy and every file's \
         SHA-256; `lineage.jsonl` says of each row which sample, call, generation and evidence stand behind it.\n",
        manifest.rows, manifest.rows_held_out, manifest.code_version
    );
    for (title, counts) in [
        ("Rows by task", &manifest.rows_by_task),
        ("Rows by language", &manifest.rows_by_language),
        ("Rows by class", &manifest.rows_by_class),
        ("Rows by evidence", &manifest.rows_by_evidence),
    ] {
        table(&mut text, title, counts);
    }
    precision(&mut text, manifest);
    let _ = writeln!(text, "## Where it comes from\n");
    list(
        &mut text,
        "Rubrics",
        manifest.rubrics.iter().flat_map(|(task, it)| it.iter().map(move |v| format!("{task} {v}"))),
    );
    list(
        &mut text,
        "Generators",
        manifest.generators.iter().flat_map(|(name, it)| it.iter().map(move |h| format!("{name} `{h}`"))),
    );
    list(&mut text, "Prompts", manifest.prompts.iter().cloned());
    list(&mut text, "Judges", manifest.judges.iter().cloned());
    let _ = writeln!(text, "\n## What is never in here\n\n{}", manifest.split);
    text
}

fn front_matter(manifest: &Manifest, files: &[String]) -> String {
    let mut text = String::from("---\n");
    let languages: Vec<&str> = manifest.rows_by_language.keys().map(String::as_str).collect();
    let _ = writeln!(text, "language: [{}]", languages.join(", "));
    let _ = writeln!(text, "configs:\n- config_name: default\n  data_files:");
    for file in files {
        let split = if file.contains("eval.") { "test" } else { "train" };
        let _ = writeln!(text, "  - split: {split}\n    path: {file}");
    }
    text + "---\n\n"
}

fn table(text: &mut String, title: &str, counts: &BTreeMap<String, u64>) {
    let _ = writeln!(text, "| {title} | n |\n| --- | ---: |");
    for (name, n) in counts {
        let _ = writeln!(text, "| {name} | {n} |");
    }
    text.push('\n');
}

/// What is promised of the rows, and of which nothing is.
fn precision(text: &mut String, manifest: &Manifest) {
    let _ = writeln!(text, "## How sure it is\n");
    let by_people = manifest.rows - manifest.rows_by_evidence.get("auto").copied().unwrap_or(0);
    if by_people > 0 {
        let policy = &manifest.policy;
        let agreed = match policy["min_agreement"].as_f64() {
            Some(share) => format!("at least {share} of them"),
            None => policy["agreement"].as_str().unwrap_or_default().to_owned(),
        };
        let _ = writeln!(
            text,
            "- {by_people} rows: people's answers (at least {} a sample, {agreed}) or a lead's decision. No figure is promised for these.",
            policy["min_people"]
        );
    }
    for it in &manifest.certificates {
        let _ = writeln!(
            text,
            "- {} rows rest on a certificate: where the judge `{}` says {} of {} ({}) with probability {} or more, at most {} of \
             verdicts disagree with people's blind majority (ε), with probability {} at least (1 − δ). Read from {} labels with {} \
             disagreements; upper bound {:.4}. Certificate `{}`.",
            it.rows,
            it.judge,
            it.verdict,
            it.task,
            it.criterion,
            it.threshold,
            it.eps,
            1.0 - it.delta,
            it.n,
            it.errors,
            it.ucb,
            it.id
        );
    }
    text.push('\n');
}

fn list(text: &mut String, title: &str, of: impl Iterator<Item = String>) {
    let all: Vec<String> = of.collect();
    if !all.is_empty() {
        let _ = writeln!(text, "- {title}: {}", all.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CertificateEntry;

    #[test]
    fn the_card_says_what_is_certified_and_what_is_not() {
        let manifest = Manifest {
            policy: serde_json::json!({"target": "kto", "min_people": 2, "agreement": "majority"}),
            rows: 30,
            rows_by_evidence: [("auto".to_owned(), 20), ("human_blind".to_owned(), 10)].into(),
            rows_by_language: [("zh".to_owned(), 30)].into(),
            split: "Audit and gold samples.",
            certificates: vec![CertificateEntry {
                id: "c1".into(),
                task: "tag".into(),
                criterion: "all".into(),
                judge: "j".into(),
                verdict: "pass".into(),
                eps: 0.1,
                delta: 0.05,
                threshold: 0.92,
                n: 100,
                errors: 3,
                ucb: 0.0757,
                rows: 20,
            }],
            ..Manifest::default()
        };
        let text = card(&manifest, &["train.jsonl".into(), "eval.jsonl".into()]);
        for words in [
            "language: [zh]",
            "split: test\n    path: eval.jsonl",
            "10 rows: people's answers (at least 2 a sample, majority)",
            "at most 0.1 of verdicts disagree",
            "0.95 at least",
            "upper bound 0.0757",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
