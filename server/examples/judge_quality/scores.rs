//! The judge's raw probabilities, kept in a file so that an interrupted run goes on.

use crate::data::{Case, Task};
use concord_agreement::calibrator::Point;
use concord_domain::ports::{LanguageModel, Priority, ScoreRequest};
use concord_inference::{Catalogue, Options, open_language_model};
use concord_pipeline::judge::{self, Worked};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) struct Scores {
    pub(crate) judge: String,
    model: Arc<dyn LanguageModel>,
    hash: String,
    path: PathBuf,
    known: HashMap<String, f64>,
    asked: (usize, usize, u64),
}

impl Scores {
    pub(crate) async fn open(name: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let catalogue = Catalogue::read(&root.join("models/catalogue.toml"))?;
        let model = open_language_model(&catalogue, name, &root.join("models/weights"), Options::default())?;
        let info = model.info().await?;
        let path = root.join("target/bench/judge.jsonl");
        std::fs::create_dir_all(root.join("target/bench"))?;
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        let known =
            known.lines().filter_map(|line| serde_json::from_str::<(String, f64)>(line).ok()).collect();
        let judge = format!("{} ({})", info.name, &info.hash[..8]);
        Ok(Self { judge, model, hash: info.hash, path, known, asked: (0, 0, 0) })
    }

    /// P(pass) of each case, asked as Concord asks.
    pub(crate) async fn score(
        &mut self,
        task: &Task,
        cases: &[&Case],
        examples: &[Worked],
    ) -> Result<Vec<Point>, Box<dyn std::error::Error>> {
        let mut points = Vec::with_capacity(cases.len());
        for (cluster, case) in (0_i64..).zip(cases) {
            let questions = judge::questions(&case.sample, &task.rubric, examples)?;
            let key = self.key(&questions);
            let p = match self.known.get(&key) {
                Some(p) => *p,
                None => self.ask(key, questions).await?,
            };
            points.push(Point { cluster, p, pass: case.pass });
        }
        Ok(points)
    }

    fn key(&self, of: &judge::Questions) -> String {
        let parts =
            [&self.hash, &of.system, &of.preamble, &of.shared, &of.questions.concat(), &of.answers.concat()];
        let digest = Sha256::digest(parts.map(String::as_str).join("\0").as_bytes());
        digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    async fn ask(&mut self, key: String, of: judge::Questions) -> Result<f64, Box<dyn std::error::Error>> {
        let scored = self
            .model
            .score(ScoreRequest {
                system: of.system,
                preamble: of.preamble,
                shared: of.shared,
                questions: of.questions,
                answers: of.answers,
                priority: Priority::Batch,
            })
            .await?;
        let p = scored.scores.first().and_then(|score| score.p_first).ok_or("no probability")?;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path)?;
        writeln!(file, "{}", serde_json::json!([key, p]))?;
        self.known.insert(key, p);
        let (asked, tokens, millis) = self.asked;
        self.asked = (asked + 1, tokens + scored.prefilled_tokens, millis + scored.millis);
        if self.asked.0.is_multiple_of(50) {
            eprintln!("{}", self.speed());
        }
        Ok(p)
    }

    pub(crate) fn speed(&self) -> String {
        let (asked, tokens, millis) = self.asked;
        let seconds = std::time::Duration::from_millis(millis).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "tokens of a bench")]
        let rate = tokens as f64 / seconds.max(1e-9);
        format!(
            "{asked} questions asked in this run, {tokens} tokens read in {seconds:.0} s ({rate:.0} tokens/s)"
        )
    }
}
