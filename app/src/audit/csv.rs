//! Tables as CSV, for spreadsheets: quoted, and never a formula.

use concord_domain::{AuditReport, Case, Estimate};

/// The report's cards, a row each.
#[must_use]
pub fn cards(report: &AuditReport) -> String {
    let mut out = row(&[
        "task",
        "criterion",
        "judge",
        "rubric",
        "n",
        "tp",
        "fp",
        "fn",
        "tn",
        "tied",
        "no_verdict",
        "unparsed",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(
        MEASURES.iter().flat_map(|name| [(*name).to_owned(), format!("{name}_low"), format!("{name}_high")]),
    )
    .collect::<Vec<_>>());
    for card in &report.cards {
        let c = card.cells;
        let mut cells =
            vec![card.task.clone(), card.criterion.clone(), card.judge.clone(), card.rubric.clone()];
        let counts =
            [card.n, c.tp, c.fp, c.fn_, c.tn, card.reference.n_tied, card.n_no_verdict, card.n_unparsed];
        cells.extend(counts.map(|n| n.to_string()));
        let estimates = [
            &card.accuracy,
            &card.precision,
            &card.recall,
            &card.specificity,
            &card.balanced_accuracy,
            &card.mcc,
            &card.kappa.estimate,
            &card.ac1,
            &card.humans.alpha,
            &card.pass_rate.corrected,
        ];
        cells.extend(estimates.into_iter().flat_map(figures));
        out.push_str(&row(&cells));
    }
    out
}

const MEASURES: [&str; 10] = [
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "balanced_accuracy",
    "mcc",
    "kappa",
    "ac1",
    "human_alpha",
    "pass_rate_corrected",
];

/// The first line of a list of cases.
#[must_use]
pub fn cases_head() -> String {
    let names = [
        "sample",
        "key",
        "task",
        "criterion",
        "half",
        "lang",
        "state",
        "passes",
        "fails",
        "people",
        "adjudicated",
        "judge",
        "verdict",
        "p_pass",
        "text",
    ];
    row(&names.map(str::to_owned))
}

/// Cases, a row each.
#[must_use]
pub fn cases(all: &[Case]) -> String {
    let side = |pass: Option<bool>| {
        pass.map(|pass| if pass { "pass" } else { "fail" }).unwrap_or_default().to_owned()
    };
    all.iter().fold(String::new(), |mut out, case| {
        out.push_str(&row(&[
            case.sample.to_string(),
            case.key.clone(),
            case.task.clone(),
            case.criterion.clone(),
            case.half.clone(),
            case.lang.clone(),
            case.state.clone(),
            case.votes.0.to_string(),
            case.votes.1.to_string(),
            side(case.people),
            case.adjudicated.map(|outcome| outcome.as_str().to_owned()).unwrap_or_default(),
            case.judge.clone().unwrap_or_default(),
            side(case.verdict),
            case.p_pass.map(|p| p.to_string()).unwrap_or_default(),
            case.text.clone(),
        ]));
        out
    })
}

fn figures(of: &Estimate) -> [String; 3] {
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    [text(of.est), text(of.ci.map(|ci| ci.0)), text(of.ci.map(|ci| ci.1))]
}

fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    cells.join(",") + "\r\n"
}

/// A cell that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("@cmd"), "'@cmd");
        assert_eq!(quoted("-0.25"), "-0.25");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
