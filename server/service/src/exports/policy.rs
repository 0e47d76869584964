//! Policy files: TOML, with faults named by line and field.

use concord_domain::{Error, ExportPolicy};

/// What is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {field}: {why}")]
pub struct PolicyError {
    /// Line of the file, from 1 on.
    pub line: usize,
    /// Field, with its table: `balance.ratio`.
    pub field: String,
    /// What is wrong.
    pub why: String,
}

/// Reads a policy and checks it.
///
/// # Errors
/// [`PolicyError`]: line, field and what is wrong.
pub fn read(text: &str) -> Result<ExportPolicy, PolicyError> {
    let policy: ExportPolicy = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.get(..start).map_or(1, |before| before.matches('\n').count() + 1);
        PolicyError { line, field: field_at(text, line), why: error.message().to_owned() }
    })?;
    policy.check().map_err(|error| match error {
        Error::Invalid { field, why } => PolicyError { line: line_of(text, &field), field, why },
        other => PolicyError { line: 1, field: String::new(), why: other.to_string() },
    })?;
    Ok(policy)
}

/// The field that stands on a line, with the table it is in; the line's words if it holds none.
fn field_at(text: &str, line: usize) -> String {
    let mut table = String::new();
    for (number, words) in (1..).zip(text.lines()) {
        let words = words.trim();
        if let Some(name) = words.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.trim_matches(['[', ']', ' ']).to_owned();
        }
        if number == line {
            return match words.split_once('=') {
                Some((name, _)) if table.is_empty() => name.trim().to_owned(),
                Some((name, _)) => format!("{table}.{}", name.trim()),
                None => words.chars().take(60).collect(),
            };
        }
    }
    String::new()
}

/// The line on which a field stands; its table's, else the first.
fn line_of(text: &str, field: &str) -> usize {
    let at = |wanted: &str| {
        (1..).zip(text.lines()).map(|(line, _)| line).find(|line| field_at(text, *line) == wanted)
    };
    let table = field.split_once('.').map(|(table, _)| table);
    at(field).or_else(|| table.and_then(|table| at(table).or_else(|| at(&format!("[{table}]"))))).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (usize, String) {
        let error = read(text).expect_err(text);
        (error.line, error.field)
    }

    #[test]
    fn faults_name_line_and_field() {
        assert_eq!(fault("target = \"kto\"\nmin_people = 0\n"), (2, "min_people".into()));
        assert_eq!(fault("# mine\n\nminpeople = 1\n"), (3, "minpeople".into()));
        assert_eq!(fault("target = \"kto\"\n[balance]\nratio = 0.0\n"), (3, "balance.ratio".into()));
        assert_eq!(fault("target = \"kto\"\n[balance]\nratoi = 1.0\n"), (3, "balance.ratoi".into()));
        assert_eq!(fault("target = \"kto\"\nbalance = { ratio = 0.0 }\n"), (2, "balance.ratio".into()));
        assert_eq!(fault("seed = 1\ntasks = [\"tags\"]\n"), (2, "tasks".into()));
        assert_eq!(fault("hold_out = \"some\"\n"), (1, "hold_out".into()));
        let error = read("seed = 1\ntasks = [\"tags\"]\n").expect_err("no such task");
        assert_eq!(error.to_string(), "line 2, tasks: one of interest, tag, explanation");
    }

    #[test]
    fn a_whole_policy_is_read_and_written_back_the_same() {
        let text = "target = \"kto\"\nlayouts = [\"trl\", \"axolotl\"]\nformats = [\"jsonl\", \"parquet\"]\ntasks = [\"tag\"]\n\
                    rounds = [1, 2]\nrubrics = [\"1.0\"]\nevidence = [\"blind\", \"adjudicated\", \"auto\"]\nmin_people = 2\n\
                    min_agreement = 0.75\ncap_user = 80\ncap_category = 2\nlanguages = [\"zh\"]\nhold_out = 0.1\nseed = 7\n\
                    [balance]\nratio = 2.0\nrounds = 3\n";
        let policy = read(text).expect("a policy");
        assert_eq!(policy.balance.map(|it| (it.ratio, it.rounds, it.half_life_days)), Some((2.0, 3, 30.0)));
        assert_eq!(read(&toml::to_string(&policy).expect("TOML")).expect("a policy"), policy);
    }
}
