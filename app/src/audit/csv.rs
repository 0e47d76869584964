//! Tables as CSV, for spreadsheets: quoted, and never a formula.

use concord_domain::{AnnotatorReport, AuditReport, Case, Decision, Estimate, JudgePair, Reliability, Slice};

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

/// The people who label, a row each.
#[must_use]
pub fn annotators(all: &[AnnotatorReport]) -> String {
    const ESTIMATES: [&str; 6] = ["skill", "gold", "consistency", "seconds", "hasty", "over_reliance"];
    let mut names = vec!["rater".to_owned(), "labels".to_owned(), "samples".to_owned(), "flagged".to_owned()];
    names.extend(ESTIMATES.iter().flat_map(|name| named(name)));
    all.iter().fold(row(&names), |mut out, it| {
        let mut cells =
            vec![it.rater.clone(), it.labels.to_string(), it.samples.to_string(), it.flagged.to_string()];
        let all = [&it.skill, &it.gold, &it.consistency, &it.seconds, &it.hasty, &it.over_reliance];
        cells.extend(all.into_iter().flat_map(counted));
        out.push_str(&row(&cells));
        out
    })
}

/// The bins of a reliability diagram.
#[must_use]
pub fn reliability(of: &Reliability) -> String {
    let mut names = vec!["from".to_owned(), "to".to_owned(), "mean_p".to_owned()];
    names.extend(named("people_pass"));
    of.bins.iter().fold(row(&names), |mut out, bin| {
        let mut cells = vec![bin.range.0.to_string(), bin.range.1.to_string(), bin.mean_p.to_string()];
        cells.extend(counted(&bin.pass));
        out.push_str(&row(&cells));
        out
    })
}

/// The slices of a card.
#[must_use]
pub fn slices(all: &[Slice]) -> String {
    let mut names = ["by", "value", "tp", "fp", "fn", "tn"].map(str::to_owned).to_vec();
    names.extend(["accuracy", "specificity"].iter().flat_map(|name| named(name)));
    all.iter().fold(row(&names), |mut out, it| {
        let c = it.cells;
        let mut cells = vec![it.by.clone(), it.value.clone()];
        cells.extend([c.tp, c.fp, c.fn_, c.tn].map(|n| n.to_string()));
        cells.extend([&it.accuracy, &it.specificity].into_iter().flat_map(counted));
        out.push_str(&row(&cells));
        out
    })
}

/// Judges against each other.
#[must_use]
pub fn pairs(all: &[JudgePair]) -> String {
    let names = ["criterion", "a", "b", "both", "only_a", "only_b", "neither", "p"].map(str::to_owned);
    all.iter().fold(row(&names), |mut out, it| {
        let mut cells = vec![it.criterion.clone(), it.a.clone(), it.b.clone()];
        cells.extend([it.both, it.only_a, it.only_b, it.neither].map(|n| n.to_string()));
        cells.push(it.p.map(|p| p.to_string()).unwrap_or_default());
        out.push_str(&row(&cells));
        out
    })
}

/// Single decisions.
#[must_use]
pub fn decisions(all: &[Decision]) -> String {
    let names =
        ["sample", "key", "criterion", "people", "passes", "fails", "judge", "p_pass", "text", "rationale"];
    let side = |pass: bool| if pass { "pass" } else { "fail" }.to_owned();
    all.iter().fold(row(&names.map(str::to_owned)), |mut out, it| {
        out.push_str(&row(&[
            it.sample.to_string(),
            it.key.clone(),
            it.criterion.clone(),
            side(it.human),
            it.votes.0.to_string(),
            it.votes.1.to_string(),
            side(it.judge),
            it.p_pass.map(|p| p.to_string()).unwrap_or_default(),
            it.text.clone(),
            it.rationale.clone().unwrap_or_default(),
        ]));
        out
    })
}

/// The columns of an estimate with its n.
fn named(name: &str) -> [String; 4] {
    [name.to_owned(), format!("{name}_low"), format!("{name}_high"), format!("{name}_n")]
}

fn counted(of: &Estimate) -> [String; 4] {
    let [est, low, high] = figures(of);
    [est, low, high, of.n.to_string()]
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
