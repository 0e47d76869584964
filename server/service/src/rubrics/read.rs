//! Reading a rubric from TOML: what is wrong is named by its line and its field, because a person edits it.

use concord_domain::{Error, Rubric};
use toml::de::{DeTable, DeValue};

/// The largest rubric as TOML, in bytes.
const TOML_LIMIT: usize = 200_000;

/// The rubric of a text.
///
/// # Errors
/// [`Error::Invalid`] with the field, and the line at the front of why.
pub(super) fn read(text: &str) -> Result<Rubric, Error> {
    if text.len() > TOML_LIMIT {
        return Err(Error::invalid("rubric", "at most 200 kB"));
    }
    let refused = |field: &str, line: Option<usize>, why: &str| {
        let field = if field.is_empty() { "rubric" } else { field };
        let why = why.trim().replace('\n', ", ");
        Err(Error::invalid(field, line.map_or_else(|| why.clone(), |line| format!("line {line}: {why}"))))
    };
    let parsed = match toml::Deserializer::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => return refused("", error.span().map(|span| line(text, span.start)), error.message()),
    };
    let rubric: Rubric = match serde_path_to_error::deserialize(parsed) {
        Ok(rubric) => rubric,
        Err(error) => {
            let path = error.path().to_string();
            let inner = error.inner();
            let field = field(path.trim_matches('.'), inner.message());
            let at = inner.span().map(|span| line(text, span.start)).or_else(|| locate(text, &field));
            return refused(&field, at, inner.message());
        }
    };
    match rubric.check() {
        Err(Error::Invalid { field, why }) => refused(&field, locate(text, &field), &why),
        checked => checked.map(|()| rubric),
    }
}

/// The field at fault. Of a missing or unknown one the path is its parent's, and the message has its name.
fn field(path: &str, why: &str) -> String {
    let name = why.split("field `").nth(1).and_then(|rest| rest.split('`').next());
    match name {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) if path.rsplit('.').next() != Some(name) => format!("{path}.{name}"),
        _ => path.to_owned(),
    }
}

/// The number of the line in which a byte stands.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// The line of a field such as `criteria[1].labels`; where it is missing, of what it should stand in.
fn locate(text: &str, field: &str) -> Option<usize> {
    let mut value = DeValue::Table(DeTable::parse(text).ok()?.into_inner());
    let mut at = None;
    for segment in field.split(['.', '[', ']']).filter(|segment| !segment.is_empty()) {
        let (start, inner) = match value {
            DeValue::Table(table) => {
                let Some((key, inner)) = table.into_iter().find(|(key, _)| key.get_ref() == segment) else {
                    break;
                };
                (key.span().start, inner)
            }
            DeValue::Array(items) => {
                let place = segment.parse::<usize>().ok()?;
                let Some(inner) = items.into_iter().nth(place) else { break };
                (inner.span().start, inner)
            }
            _ => break,
        };
        at = Some(line(text, start));
        value = inner.into_inner();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"task = "t"
version = "1.0"
name = { en = "T" }

[[criteria]]
name = "clear"
title = { en = "Clear" }
question = { en = "Is it clear?" }
pass = { en = "It is." }
fail = { en = "It is not." }
[[criteria.labels]]
name = "good"
pass = true
title = { en = "Good" }
[[criteria.labels]]
name = "bad"
pass = false
title = { en = "Bad" }
"#;

    fn wrong(from: &str, to: &str) -> (String, String) {
        assert!(GOOD.contains(from), "{from}");
        match read(&GOOD.replacen(from, to, 1)) {
            Err(Error::Invalid { field, why }) => (field, why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_field() {
        assert_eq!(read(GOOD).map(|rubric| rubric.criteria.len()), Ok(1));
        for (from, to, field, line) in [
            ("name = \"clear\"\n", "", "criteria[0].name", "line 5: missing field `name`"),
            ("pass = true", "pass = \"yes\"", "criteria[0].labels[0].pass", "line 13: invalid type"),
            ("pass = { en", "passes = { en", "criteria[0].passes", "line 9: unknown field"),
            ("pass = false", "pass = true", "criteria[0].labels", "line 11: at least one"),
            ("\"bad\"", "\"good\"", "criteria[0].labels", "line 11: a label stands twice"),
            ("\"1.0\"", "\"one\"", "version", "line 2: two numbers"),
            ("task = \"t\"", "task = \"t", "rubric", "line 1: "),
            ("[[criteria]]", "[[criteria", "rubric", "line 5: "),
        ] {
            let (at, why) = wrong(from, to);
            assert!(at == field && why.starts_with(line), "{to:?}: {at}: {why}");
        }
    }
}
