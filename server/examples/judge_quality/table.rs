//! The table: a line a way of deciding.

use concord_agreement::calibrator::{Point, assess};
use concord_agreement::{Cells, Estimate, kappa, proportion};

pub(crate) struct Row {
    name: String,
    values: Vec<(&'static str, Estimate)>,
}

impl Row {
    pub(crate) fn new(name: &str, points: &[Point], threshold: f64) -> Self {
        let cells = cells(points, threshold);
        let share = |part: f64, whole: f64| proportion(whole_of(part), whole_of(whole));
        let assessed = assess(points, 1);
        let table = [[cells.tp, cells.fp], [cells.fn_, cells.tn]];
        Self {
            name: name.to_owned(),
            values: vec![
                ("κ", kappa(&table).estimate),
                ("specificity", share(cells.tn, cells.tn + cells.fp)),
                ("recall", share(cells.tp, cells.tp + cells.fn_)),
                ("accuracy", share(cells.tp + cells.tn, cells.n())),
                ("AUROC", assessed.auroc),
                ("ECE", assessed.ece),
                ("Brier", assessed.brier),
            ],
        }
    }
}

/// The judge's answers from a threshold on, against people's.
pub(crate) fn cells(points: &[Point], threshold: f64) -> Cells {
    let mut cells = Cells::default();
    for point in points {
        let cell = match (point.p >= threshold, point.pass) {
            (true, true) => &mut cells.tp,
            (true, false) => &mut cells.fp,
            (false, true) => &mut cells.fn_,
            (false, false) => &mut cells.tn,
        };
        *cell += 1.0;
    }
    cells
}

/// As a table of Markdown.
pub(crate) fn print(rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let names: Vec<&str> = first.values.iter().map(|(name, _)| *name).collect();
    println!("\n| test part | {} |\n| --- {}|", names.join(" | "), "| --- ".repeat(names.len()));
    for row in rows {
        let cells: Vec<String> = row.values.iter().map(|(_, value)| shown(value)).collect();
        println!("| {} | {} |", row.name, cells.join(" | "));
    }
}

fn shown(of: &Estimate) -> String {
    match (of.est, of.ci) {
        (Some(est), Some((low, high))) => format!("{est:.3} [{low:.3}, {high:.3}] n {}", of.n),
        (Some(est), None) => format!("{est:.3} n {}", of.n),
        _ => format!("not estimable: {}", of.why.as_deref().unwrap_or("")),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count kept as a number")]
fn whole_of(count: f64) -> u64 {
    count as u64
}
