//! Samples, labels and verdicts made elsewhere: one checked row each, as the database's batch takes it.

use super::{Kind, error::Bad, json::Json, record::Reading, text};
use serde_json::{Map, Value, json};

/// Longest text of a sample, and of a rationale, in characters.
const TEXT: usize = 20_000;
const RATIONALE: usize = 4_000;
/// Most context of a sample, in bytes.
const CONTEXT: usize = 64 * 1024;

/// Fields of a kind.
fn fields(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Samples => {
            &["sample", "task", "text", "context", "user", "item", "parent", "cluster", "lang", "generator"]
        }
        Kind::Labels => &[
            "sample",
            "task",
            "criterion",
            "rater",
            "label",
            "pass",
            "phase",
            "stream",
            "pi",
            "cluster",
            "rubric",
            "at",
        ],
        Kind::Verdicts => &[
            "sample",
            "task",
            "criterion",
            "judge",
            "status",
            "label",
            "pass",
            "p_pass",
            "logits",
            "rationale",
            "cluster",
            "at",
            "rubric",
        ],
        Kind::Users | Kind::Items | Kind::Behaviours => &[],
    }
}

/// Checks a row and gives it as the object that the database's batch takes.
pub(super) fn record(values: Vec<(String, Json)>, reading: &mut Reading) -> Result<Value, Bad> {
    let mut row = Row { values: Vec::with_capacity(values.len()), out: Map::new() };
    for (name, value) in values {
        if fields(reading.kind).contains(&name.as_str()) {
            row.values.push((name, value));
        } else if reading.ignored.len() < 20 && !reading.ignored.contains(&name) {
            reading.ignored.push(name);
        }
    }
    row.key("sample", true)?;
    row.task(reading)?;
    row.key("cluster", false)?;
    match reading.kind {
        Kind::Samples => row.sample()?,
        Kind::Labels => row.label(reading)?,
        _ => row.verdict(reading)?,
    }
    // A cluster is often a user by its key.
    for name in ["user", "cluster"] {
        if let Some(Value::String(key)) = row.out.get_mut(name) {
            *key = reading.name(std::mem::take(key));
        }
    }
    Ok(Value::Object(row.out))
}

/// A row on its way: what is left of it, and what is checked.
struct Row {
    values: Vec<(String, Json)>,
    out: Map<String, Value>,
}

impl Row {
    /// Takes a field; null and an empty cell are as if it were not there.
    fn take(&mut self, name: &str) -> Option<Json> {
        let place = self.values.iter().position(|(known, _)| known == name)?;
        let value = self.values.swap_remove(place).1;
        match &value {
            Json::Null => None,
            Json::Text(text) if text.trim().is_empty() => None,
            _ => Some(value),
        }
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.out.insert(name.to_owned(), value.into());
    }

    /// A key: text or a whole number.
    fn key(&mut self, name: &str, needed: bool) -> Result<(), Bad> {
        match self.take(name) {
            Some(Json::Text(text)) => self.put(name, text::key(name, text)?),
            Some(Json::Number(number)) if !number.is_f64() => self.put(name, number.to_string()),
            Some(_) => return Err(Bad::field(name, "is not a key: text or a whole number")),
            None if needed => return Err(Bad::field(name, "is missing")),
            None => {}
        }
        Ok(())
    }

    fn task(&mut self, reading: &Reading) -> Result<(), Bad> {
        if self.values.iter().all(|(name, _)| name != "task")
            && let Some(task) = &reading.task
        {
            self.put("task", task.clone());
            return Ok(());
        }
        self.key("task", true)?;
        bounded_name("task", &self.out)
    }

    fn text(&mut self, name: &str, max: usize) -> Result<Option<String>, Bad> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let text = value.scalar().ok_or_else(|| Bad::field(name, "is not text"))?;
        text::bounded(name, text, max)
    }

    /// A finite number within bounds.
    fn number(&mut self, name: &str, low: f64, high: f64) -> Result<Option<f64>, Bad> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.scalar().and_then(|text| text.trim().parse::<f64>().ok());
        number
            .filter(|number| (low..=high).contains(number))
            .map(Some)
            .ok_or_else(|| Bad::field(name, format!("is not a number from {low} to {high}")))
    }

    fn word(&mut self, name: &str, words: &[&str], default: &str) -> Result<(), Bad> {
        let word = self.text(name, 64)?.unwrap_or_else(|| default.to_owned());
        if !words.contains(&word.as_str()) {
            return Err(Bad::field(name, format!("{word:?} is none of {}", words.join(", "))));
        }
        self.put(name, word);
        Ok(())
    }

    fn time(&mut self, reading: &mut Reading) -> Result<(), Bad> {
        if let Some(value) = self.take("at")
            && let Some(micros) = reading.times.read(value)?
        {
            let at = jiff::Timestamp::from_microsecond(micros)
                .map_err(|_| Bad::field("at", "is no time that can be kept"))?;
            self.put("at", at.to_string());
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<(), Bad> {
        let text = self.text("text", TEXT)?.ok_or_else(|| Bad::field("text", "is missing"))?;
        for name in ["user", "item", "parent", "generator"] {
            self.key(name, false)?;
        }
        let lang = self.text("lang", 16)?.unwrap_or_else(|| text::language(&text).to_owned());
        self.put("text", text);
        self.put("lang", lang);
        if let Some(context) = self.take("context") {
            let pairs = context_pairs(context)?;
            if pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > CONTEXT {
                return Err(Bad::field("context", "is larger than 64 KiB"));
            }
            self.put("context", json!(pairs));
        }
        Ok(())
    }

    fn label(&mut self, reading: &mut Reading) -> Result<(), Bad> {
        self.criterion()?;
        self.key("rater", true)?;
        let label = self.label_word()?.ok_or_else(|| Bad::field("label", "is missing"))?;
        self.put("label", label);
        self.word("phase", &["blind", "revised"], "blind")?;
        self.word("stream", &["audit", "learning", "gold"], "audit")?;
        let pi = self.number("pi", 0.0, 1.0)?.unwrap_or(1.0);
        if pi == 0.0 {
            return Err(Bad::field("pi", "is 0: what cannot be drawn is not in the sample"));
        }
        self.put("pi", pi);
        self.key("rubric", false)?;
        self.time(reading)
    }

    fn verdict(&mut self, reading: &mut Reading) -> Result<(), Bad> {
        self.criterion()?;
        self.key("judge", true)?;
        self.word("status", &["ok", "unparsed"], "ok")?;
        let unparsed = self.out["status"] == "unparsed";
        match self.label_word()? {
            Some(_) if unparsed => return Err(Bad::field("label", "stands beside the status unparsed")),
            Some(label) => self.put("label", label),
            None => {}
        }
        if unparsed && self.out.contains_key("pass") {
            return Err(Bad::field("pass", "stands beside the status unparsed"));
        }
        if let Some(p) = self.number("p_pass", 0.0, 1.0)? {
            self.put("p_pass", p);
        }
        if let Some(logits) = self.take("logits") {
            self.put("logits", logits_of(logits)?);
        }
        if let Some(rationale) = self.text("rationale", RATIONALE)? {
            self.put("rationale", rationale);
        }
        self.key("rubric", false)?;
        self.time(reading)
    }

    fn criterion(&mut self) -> Result<(), Bad> {
        self.key("criterion", true)?;
        bounded_name("criterion", &self.out)?;
        if matches!(self.out["criterion"].as_str(), Some("*" | "all")) {
            return Err(Bad::field("criterion", "* and all are kept for pooled decisions and whole samples"));
        }
        Ok(())
    }

    /// The label; sets `pass` where the row or a plain word says it, and refuses where they differ.
    fn label_word(&mut self) -> Result<Option<String>, Bad> {
        let said = match self.take("pass") {
            None => None,
            Some(value) => {
                Some(truth(&value).ok_or_else(|| Bad::field("pass", "is neither true nor false"))?)
            }
        };
        let label = self.text("label", 64)?;
        let plain = label.as_ref().and_then(|label| plain(label));
        if let (Some(said), Some(plain)) = (said, plain)
            && said != plain
        {
            let label = label.unwrap_or_default();
            return Err(Bad::field("pass", format!("contradiction: the label {label:?} and pass {said}")));
        }
        if let Some(pass) = said.or(plain) {
            self.put("pass", pass);
        }
        Ok(label)
    }
}

/// Names that stand in reports and addresses are at most 64 characters.
fn bounded_name(field: &str, out: &Map<String, Value>) -> Result<(), Bad> {
    match out.get(field).and_then(Value::as_str) {
        Some(name) if name.chars().count() > 64 => Err(Bad::field(field, "has more than 64 characters")),
        _ => Ok(()),
    }
}

/// Words that say pass or fail in any language of tools.
fn plain(label: &str) -> Option<bool> {
    match label.trim().to_ascii_lowercase().as_str() {
        "pass" | "yes" | "true" | "1" => Some(true),
        "fail" | "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn truth(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(value) => Some(*value),
        Json::Number(number) => plain(&number.to_string()),
        Json::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Name and text; lists and objects stay as JSON text. A CSV cell may hold a JSON object.
fn context_pairs(context: Json) -> Result<Vec<(String, String)>, Bad> {
    let context = match context {
        Json::Text(text) => {
            serde_json::from_str(&text).unwrap_or(Json::Object(vec![("context".into(), Json::Text(text))]))
        }
        other => other,
    };
    let Json::Object(pairs) = context else { return Err(Bad::field("context", "is not an object")) };
    let mut out = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let value = match value {
            Json::Null => continue,
            Json::Text(text) => text,
            other => plain_json(other).to_string(),
        };
        let field = format!("context.{name}");
        let name = text::key(&field, name)?;
        if let Some(value) = text::bounded(&field, value, CONTEXT)? {
            out.push((name, value));
        }
    }
    Ok(out)
}

fn logits_of(logits: Json) -> Result<Value, Bad> {
    let logits = match logits {
        Json::Text(text) => serde_json::from_str(&text).unwrap_or(Json::Text(text)),
        other => other,
    };
    match plain_json(logits) {
        Value::Object(map) if map.values().all(Value::is_number) && map.len() <= 64 => Ok(Value::Object(map)),
        _ => Err(Bad::field("logits", "is not an object of at most 64 numbers")),
    }
}

fn plain_json(value: Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(value) => Value::Number(value),
        Json::Text(value) => Value::String(value),
        Json::List(list) => Value::Array(list.into_iter().map(plain_json).collect()),
        Json::Object(pairs) => {
            Value::Object(pairs.into_iter().map(|(name, value)| (name, plain_json(value))).collect())
        }
    }
}
