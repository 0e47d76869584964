//! A model that answers by file: what is asked becomes a line of an OpenAI batch file (which vLLM's batch runner and the
//! batch APIs read), and what came back is found by its question. A question's id is the hash of what is asked, so
//! asking twice writes one line, and an answer counts for its question alone, however often it is given.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;

use concord_domain::ports::ModelError;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::wire::Answer;

/// Longest line of answers read.
const MAX_LINE: usize = 8 << 20;
/// Why a question has no answer yet.
const WAITS: &str = "its answer is not there yet";

/// Questions out, answers in.
pub struct Batch {
    answers: HashMap<String, Value>,
    refused: HashMap<String, String>,
    asked: Mutex<Asked>,
}

struct Asked {
    out: Option<BufWriter<File>>,
    ids: HashSet<String>,
}

/// What a file of answers held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Answers.
    pub answers: usize,
    /// Questions that the other side could not answer.
    pub failed: usize,
    /// The same answer again.
    pub repeated: usize,
}

#[derive(Deserialize)]
struct Line {
    custom_id: String,
    response: Option<Response>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    status_code: u16,
    body: Value,
}

impl Batch {
    /// Questions go to `to`, if anywhere; answers come from these files.
    ///
    /// # Errors
    /// In words, with the line at fault.
    pub fn open(to: Option<&Path>, from: &[std::path::PathBuf]) -> Result<(Self, Received), String> {
        let mut batch = Self {
            answers: HashMap::new(),
            refused: HashMap::new(),
            asked: Mutex::new(Asked { out: None, ids: HashSet::new() }),
        };
        let mut received = Received::default();
        for path in from {
            batch.read(path, &mut received)?;
        }
        if let Some(path) = to {
            let file = File::create_new(path).map_err(|error| format!("{}: {error}", path.display()))?;
            batch.asked.get_mut().map_err(|error| error.to_string())?.out = Some(BufWriter::new(file));
        }
        Ok((batch, received))
    }

    fn read(&mut self, path: &Path, received: &mut Received) -> Result<(), String> {
        let at = |line: usize, why: &dyn std::fmt::Display| format!("{} line {line}: {why}", path.display());
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut reader = BufReader::new(file);
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            let mut limited = std::io::Read::take(&mut reader, MAX_LINE as u64 + 1);
            let read = limited.read_until(b'\n', &mut text).map_err(|error| at(line, &error))?;
            if read == 0 {
                return Ok(());
            }
            if text.len() > MAX_LINE {
                return Err(at(line, &"longer than 8 MiB"));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let found: Line = serde_json::from_slice(&text).map_err(|error| at(line, &error))?;
            self.take(found, received);
        }
        Ok(())
    }

    fn take(&mut self, line: Line, received: &mut Received) {
        match (line.response, line.error) {
            (Some(response), None | Some(Value::Null)) if matches!(response.status_code, 0 | 200) => {
                match self.answers.insert(line.custom_id, response.body) {
                    None => received.answers += 1,
                    Some(_) => received.repeated += 1,
                }
            }
            (response, error) => {
                received.failed += 1;
                let why = error.or(response.map(|it| it.body)).unwrap_or_default().to_string();
                self.refused.insert(line.custom_id, why.chars().take(300).collect());
            }
        }
    }

    /// Questions written so far.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.lock().map_or(0, |asked| asked.ids.len())
    }

    /// Writes out what is held back.
    ///
    /// # Errors
    /// The disk's, in words.
    pub fn finish(&self) -> Result<(), String> {
        let mut asked = self.asked.lock().map_err(|error| error.to_string())?;
        match &mut asked.out {
            Some(out) => out
                .flush()
                .and_then(|()| out.get_ref().sync_all())
                .map_err(|error| format!("the batch file: {error}")),
            None => Ok(()),
        }
    }

    /// The answer to a question, else writes it down.
    pub(super) fn chat(&self, model: &str, body: &Value) -> Result<Answer, ModelError> {
        let id = id(body);
        if let Some(answer) = self.answers.get(&id) {
            return serde_json::from_value(answer.clone()).map_err(|error| {
                ModelError::Failed(format!("the answer to {id} is not the protocol's: {error}"))
            });
        }
        let failed = |error: &dyn std::fmt::Display| ModelError::Failed(format!("the batch file: {error}"));
        let mut asked = self.asked.lock().map_err(|error| failed(&error))?;
        if asked.ids.insert(id.clone())
            && let Some(out) = &mut asked.out
        {
            let line =
                json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body});
            serde_json::to_writer(&mut *out, &line).map_err(|error| failed(&error))?;
            out.write_all(b"\n").map_err(|error| failed(&error))?;
        }
        drop(asked);
        let why = self
            .refused
            .get(&id)
            .map_or_else(|| WAITS.to_owned(), |why| format!("the last try failed: {why}"));
        Err(ModelError::Unavailable {
            name: model.to_owned(),
            why,
            mend: "Run the batch and give what comes back with --from".into(),
        })
    }
}

/// The hash of what is asked; keys stand in the order in which we write them.
fn id(body: &Value) -> String {
    let hash = Sha256::digest(body.to_string().as_bytes());
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("concord-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(words: &str) -> Value {
        json!({"model": "m", "messages": [{"role": "user", "content": words}]})
    }

    #[test]
    fn a_question_is_written_once_and_its_answer_is_found_by_what_was_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let (to, from) = (folder.path().join("ask.jsonl"), folder.path().join("got.jsonl"));
        let (batch, _) = Batch::open(Some(&to), &[]).expect("a batch");
        for words in ["one", "two", "one"] {
            assert!(matches!(batch.chat("m", &body(words)), Err(ModelError::Unavailable { .. })));
        }
        batch.finish().expect("written");
        let text = std::fs::read_to_string(&to).expect("text");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((lines.len(), batch.asked()), (2, 2));
        assert_eq!((&lines[0]["url"], &lines[0]["body"]), (&json!("/v1/chat/completions"), &body("one")));
        let answer = |line: &Value| {
            json!({"id": "x", "custom_id": line["custom_id"], "error": null, "response": {"status_code": 200, "body": {
                "choices": [{"message": {"content": "hi"}, "finish_reason": "stop", "logprobs": null}]}}})
        };
        let failed =
            json!({"custom_id": lines[1]["custom_id"], "response": null, "error": {"message": "too long"}});
        std::fs::write(&from, format!("{}\n{failed}\n{}\n", answer(&lines[0]), answer(&lines[0])))
            .expect("written");
        let (batch, received) = Batch::open(None, &[from]).expect("answers");
        assert_eq!(received, Received { answers: 1, failed: 1, repeated: 1 });
        let got = batch.chat("m", &body("one")).expect("an answer");
        assert_eq!(got.choices[0].message.content.as_deref(), Some("hi"));
        let why = batch.chat("m", &body("two")).expect_err("it failed").to_string();
        assert!(why.contains("too long"), "{why}");
        assert!(Batch::open(Some(&to), &[]).is_err(), "a file that is there is not written over");
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let from = folder.path().join("got.jsonl");
        std::fs::write(&from, "\n{\"custom_id\": 3}\n").expect("written");
        let Err(why) = Batch::open(None, &[from]) else { panic!("read") };
        assert!(why.contains("line 2"), "{why}");
    }
}
