//! Volumes as a team that audits its own judge brings them: a few thousand samples of the three tasks, in two
//! languages, from two generators, with people who disagree a little and judges who are sometimes sure and wrong.

use crate::TestServer;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt::Write;

const SUBJECTS: [(&str, &str, &str); 8] = [
    ("trail running", "越野跑", "Sports"),
    ("pour-over coffee", "手冲咖啡", "Kitchen"),
    ("film photography", "胶片摄影", "Electronics"),
    ("balcony gardening", "阳台园艺", "Garden"),
    ("fly fishing", "飞蝇钓", "Outdoor"),
    ("calligraphy", "书法", "Stationery"),
    ("road cycling", "公路骑行", "Sports"),
    ("baby-led weaning", "婴儿自主进食", "Baby"),
];
/// A criterion with its passing and its failing label.
type Criterion = (&'static str, &'static str, &'static str);

const CRITERIA: [(&str, &[Criterion]); 3] = [
    ("interest", &[("willingness", "spontaneous", "necessity"), ("reasonableness", "strong", "weak")]),
    ("tag", &[("relevance", "pass", "fail"), ("specificity", "pass", "fail")]),
    ("explanation", &[("relevance", "pass", "fail"), ("factuality", "pass", "fail")]),
];
const RATERS: [(&str, f64); 5] = [
    ("mei.lin@example.org", 0.95),
    ("jonas@example.org", 0.92),
    ("aiko@example.org", 0.9),
    ("rahul@example.org", 0.86),
    ("sam@example.org", 0.72),
];
const JUDGES: [(&str, f64); 2] = [("qwen3-4b judge/2", 0.86), ("gpt-oss-20b judge/2", 0.91)];

/// The files of such a volume, as JSON lines.
#[derive(Debug, Default)]
pub struct Volume {
    items: String,
    samples: String,
    labels: String,
    verdicts: String,
}

impl Volume {
    /// So many samples, always the same ones.
    ///
    /// # Panics
    /// Never: it writes to strings.
    #[must_use]
    pub fn of(samples: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let mut volume = Self::default();
        for (n, (en, _, category)) in SUBJECTS.iter().enumerate() {
            writeln!(volume.items, r#"{{"item":"i{n}","title":"{en} kit","category":["{category}"]}}"#)
                .expect("a string");
        }
        for n in 0..samples {
            volume.sample(n, &mut rng);
        }
        volume
    }

    fn sample(&mut self, n: usize, rng: &mut StdRng) {
        let (task, criteria) = CRITERIA[n % 3];
        let subject = rng.random_range(0..SUBJECTS.len());
        let (en, zh, _) = SUBJECTS[subject];
        let chinese = n.is_multiple_of(4);
        let (lang, about) = if chinese { ("zh", zh) } else { ("en", en) };
        let text = match (task, chinese) {
            ("interest", false) => format!("Enjoys {about}, and reads up before buying"),
            ("interest", true) => format!("喜欢{about}，购买前会认真比较"),
            ("tag", false) => format!("{about} gear for beginners, no. {n}"),
            ("tag", true) => format!("{about}入门装备 {n}"),
            (_, false) => format!(
                "Because you looked at {about} last week, this kit gets you started without a second trip to the shop."
            ),
            (_, true) => format!("您上周浏览过{about}，这套装备可以帮您轻松上手。"),
        };
        let generator = if n.is_multiple_of(2) { "recgpt-7b prompts/3" } else { "recgpt-7b prompts/4" };
        writeln!(
            self.samples,
            r#"{{"sample":"s{n}","task":"{task}","text":"{text}","item":"i{subject}","cluster":"c{}","lang":"{lang}","generator":"{generator}"}}"#,
            n / 3
        )
        .expect("a string");
        for (criterion, pass, fail) in criteria {
            let truth = rng.random_bool(0.72);
            let people = if n.is_multiple_of(5) { 3 } else { 2 };
            for k in 0..people {
                let (rater, skill) = RATERS[(n + k * 2) % RATERS.len()];
                let said = if rng.random_bool(skill) == truth { pass } else { fail };
                writeln!(
                    self.labels,
                    r#"{{"sample":"s{n}","task":"{task}","criterion":"{criterion}","rater":"{rater}","label":"{said}"}}"#
                )
                .expect("a string");
            }
            for (judge, skill) in JUDGES {
                let right = rng.random_bool(skill);
                let sure: f64 = rng.random_range(0.55..0.995);
                let p = if right == truth { sure } else { 1.0 - sure };
                writeln!(
                    self.verdicts,
                    r#"{{"sample":"s{n}","task":"{task}","criterion":"{criterion}","judge":"{judge}","p_pass":{p:.4},"rationale":"The history shows {en} several times."}}"#
                )
                .expect("a string");
            }
        }
    }
}

impl TestServer {
    /// Loads a volume by `concord import`, as people do.
    ///
    /// # Panics
    /// When anything of it is rejected.
    pub async fn load_volume(&self, volume: &Volume) {
        let folder = tempfile::tempdir().expect("a folder");
        for (kind, text) in [
            ("items", &volume.items),
            ("samples", &volume.samples),
            ("labels", &volume.labels),
            ("verdicts", &volume.verdicts),
        ] {
            let path = folder.path().join(format!("{kind}.jsonl"));
            std::fs::write(&path, text).expect("a file");
            let path = path.display().to_string();
            let output = self.command(&["import", kind, &path, "--format", "jsonl", "--json"]).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "import {kind}: {said}");
        }
    }
}
