//! The labelled rows as samples with a rubric of one criterion.

use concord_domain::{Criterion, History, LabelDef, Localised, Rubric, Sample, SampleId};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What a row may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Train,
    Dev,
    Test,
}

/// A labelled sample.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) sample: Sample,
    pub(crate) pass: bool,
    pub(crate) part: Part,
}

/// Takes a row apart: the text that is judged, and what it is about with its name.
type Split = fn(&str) -> Option<(String, String, String)>;

/// A kind of question with its file.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) file: &'static str,
    pub(crate) rubric: Rubric,
    split: Split,
}

const RUBRICS: [(&str, &str, Split); 2] = [
    ("query_item_matching.jsonl", QUERY_ITEM, query_item),
    ("title_attribute_matching.jsonl", TITLE_ATTRIBUTE, title_attribute),
];

/// Name, title, question, pass, fail.
const QUERY_ITEM: &str = "商品标题|匹配|这件商品是搜索词要找的商品吗？|商品就是搜索者要找的东西。|商品与搜索词无关，或不是搜索者要找的东西。";
const TITLE_ATTRIBUTE: &str =
    "商品标题|一致|这些属性描述的是标题所说的商品吗？|属性与标题说的是同一种商品。|属性说的是另一种商品。";

impl Task {
    pub(crate) fn all() -> Result<Vec<Self>, Box<dyn std::error::Error>> {
        RUBRICS
            .iter()
            .map(|(file, words, split)| Ok(Self { file, rubric: rubric(words)?, split: *split }))
            .collect()
    }

    pub(crate) fn read(&self, folder: &Path) -> Result<Vec<Case>, Box<dyn std::error::Error>> {
        let path = folder.join(self.file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| self.case(line)).collect()
    }

    fn case(&self, line: &str) -> Result<Case, Box<dyn std::error::Error>> {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let sentences = row["sentences"].as_str().ok_or("a row without sentences")?;
        let pass = match row["labels"]["en"][0].as_str() {
            Some("match") => true,
            Some("not match") => false,
            other => return Err(format!("an unknown label {other:?}").into()),
        };
        let (text, name, about) =
            (self.split)(sentences).ok_or_else(|| format!("not understood: {sentences}"))?;
        let part = match Sha256::digest(sentences.as_bytes())[0] % 10 {
            0..3 => Part::Train,
            3..6 => Part::Dev,
            _ => Part::Test,
        };
        Ok(Case { sample: sample(&self.rubric.task, text, (name, about)), pass, part })
    }
}

fn query_item(sentences: &str) -> Option<(String, String, String)> {
    let (query, doc) = sentences.strip_prefix("Query: ")?.split_once("\nDoc: ")?;
    Some((doc.to_owned(), "搜索词".to_owned(), query.to_owned()))
}

fn title_attribute(sentences: &str) -> Option<(String, String, String)> {
    let (title, attributes) = sentences.strip_prefix("Title: ")?.split_once(", Attritute: ")?;
    let attributes = attributes.replace("#:#", "：").replace("#;#", "；");
    Some((title.to_owned(), "属性".to_owned(), attributes))
}

fn sample(task: &str, text: String, about: (String, String)) -> Sample {
    Sample {
        id: SampleId(uuid::Uuid::nil()),
        key: String::new(),
        task: task.to_owned(),
        text,
        lang: "zh".to_owned(),
        reason: None,
        stage: None,
        chain: Vec::new(),
        evidence: Vec::new(),
        user: None,
        history: History::default(),
        context: vec![about],
    }
}

fn rubric(words: &str) -> Result<Rubric, Box<dyn std::error::Error>> {
    let [name, title, question, pass, fail]: [&str; 5] =
        words.split('|').collect::<Vec<_>>().try_into().map_err(|_| "five texts")?;
    let text = |text: &str| {
        Localised([("en", text), ("zh", text)].map(|(k, v)| (k.to_owned(), v.to_owned())).into())
    };
    let label = |name: &str, pass| LabelDef { name: name.into(), pass, title: text(name) };
    let criterion = Criterion {
        name: "match".into(),
        title: text(title),
        question: text(question),
        pass: text(pass),
        fail: text(fail),
        labels: vec![label("match", true), label("not_match", false)],
        ordered: false,
        examples: Vec::new(),
    };
    Ok(Rubric { task: "matching".into(), version: "1.0".into(), name: text(name), criteria: vec![criterion] })
}
