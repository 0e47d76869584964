//! The evaluation as Markdown tables, with every trial.

use concord_retrieval::metrics::{Estimate, Measures};
use concord_retrieval::report::Report;
use std::fmt::Write;

/// All of it.
pub(super) fn tables(report: &Report) -> String {
    let mut out = String::new();
    let data = &report.data;
    line(
        &mut out,
        &format!(
            "{} users measured, {} items ranked, {} events; {} users not measured (their last item was not new, or their only \
         one); {} validation users\n",
            data.users, data.items, data.events, data.dropped, data.validation_users
        ),
    );
    systems(&mut out, &report.systems);
    line(&mut out, "\ndifference in recall, same users | minus | k | difference\n--- | --- | --- | ---");
    for it in &report.differences {
        for (k, recall) in &it.recall {
            line(&mut out, &format!("{} | {} | {k} | {}", it.system, it.minus, show(recall)));
        }
    }
    for source in &report.tags {
        line(
            &mut out,
            &format!("\ntags: {}, {} users; HR@30 {}", source.source, source.users, show(&source.hr30)),
        );
        match &source.why {
            Some(why) => line(&mut out, &format!("not measured: {why}")),
            None if source.systems.is_empty() => {}
            None => systems(&mut out, &source.systems),
        }
    }
    line(
        &mut out,
        "\ntrials on the validation split\n\nsystem | found | of | setting\n--- | --- | --- | ---",
    );
    for trial in &report.trials {
        line(&mut out, &format!("{} | {} | {} | {}", trial.system, trial.hits, trial.n, trial.settings));
    }
    out
}

fn systems(out: &mut String, systems: &[Measures]) {
    let Some(first) = systems.first() else { return };
    let ks: Vec<String> = first.recall.keys().map(|k| format!("recall@{k} | nDCG@{k}")).collect();
    line(out, &format!("system | {} | coverage | long-tail share | categories a list", ks.join(" | ")));
    line(
        out,
        &["---"; 4].iter().chain(vec!["---"; 2 * ks.len()].iter()).copied().collect::<Vec<_>>().join(" | "),
    );
    for it in systems {
        let parts: Vec<String> =
            it.recall.iter().map(|(k, recall)| format!("{} | {}", show(recall), show(&it.ndcg[k]))).collect();
        let (coverage, tail) = (show(&it.coverage), show(&it.tail_share));
        let parts = parts.join(" | ");
        line(out, &format!("{} | {parts} | {coverage} | {tail} | {}", it.name, show(&it.category_diversity)));
    }
    for it in systems.iter().filter(|it| it.settings.as_object().is_some_and(|it| !it.is_empty())) {
        line(out, &format!("{}: {}", it.name, it.settings));
    }
}

fn show(estimate: &Estimate) -> String {
    match (estimate.est, estimate.ci) {
        (Some(est), Some([low, high])) => format!("{est:.4} [{low:.4}, {high:.4}]"),
        (Some(est), None) => format!("{est:.4}"),
        _ => format!("not estimable: {}", estimate.why.as_deref().unwrap_or("no reason given")),
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}
