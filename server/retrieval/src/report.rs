//! The whole evaluation: every system tuned on the validation split, trained anew on all that comes before the
//! held-out items, and measured once on those.

use crate::Result;
use crate::baselines::{ItemKnn, Neighbours, Popularity};
use crate::evaluate::{Fusion, Scorer, Vectors, rank, sample_users, truth};
use crate::logs::{Logs, Split};
use crate::metrics::{Estimate, Measures, Truth, difference, hr30, measure, ranks};
use crate::model::Model;
use crate::train::{Flow, Trainer};
use crate::tune::{Bench, Budget, Chosen, Tell, Trial, go_on, system};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;

/// What to evaluate.
#[derive(Debug, Clone)]
pub struct Options {
    /// List lengths.
    pub ks: Vec<usize>,
    /// Users measured at most, drawn by seed.
    pub users: Option<usize>,
    /// What may be tried.
    pub budget: Budget,
    /// Users of the validation split at most.
    pub validation_users: usize,
    /// Tags that a model wrote, by user, with φ's category of each where there is a φ.
    pub written: HashMap<usize, Vec<WrittenTag>>,
}

/// A tag that a model wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenTag {
    /// The tag.
    pub text: String,
    /// Its category by φ; `None` where φ gave none.
    pub category: Option<String>,
}

/// How much there was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Users measured.
    pub users: usize,
    /// Items, all of which are ranked.
    pub items: usize,
    /// Events, held-out ones included.
    pub events: usize,
    /// Users not measured: their last item was not new, or their only one.
    pub dropped: usize,
    /// Users measured on the validation split.
    pub validation_users: usize,
}

/// One system against another on the same users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Whose recall.
    pub system: String,
    /// Minus whose.
    pub minus: String,
    /// By k.
    pub recall: std::collections::BTreeMap<usize, Estimate>,
}

/// Tags of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagSource {
    /// `latest titles`, or `written by the model`.
    pub source: String,
    /// Users with such tags.
    pub users: usize,
    /// The paper's HR@30: 30 tags, each mapped to its categories; hit if one is the next item's.
    pub hr30: Estimate,
    /// Three towers asked with them, on these users alone.
    pub systems: Vec<Measures>,
    /// Why there is nothing.
    pub why: Option<String>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `concord.retrieval/1`.
    pub schema: String,
    /// How much there was.
    pub data: Data,
    /// A line a system.
    pub systems: Vec<Measures>,
    /// Three towers against each baseline, paired.
    pub differences: Vec<Difference>,
    /// Tags by source.
    pub tags: Vec<TagSource>,
    /// Everything that was tried, on the validation split.
    pub trials: Vec<Trial>,
}

/// A user's list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The importer's key.
    pub user: String,
    /// The importer's keys of the items, best first.
    pub items: Vec<String>,
    /// Their scores.
    pub scores: Vec<f32>,
}

/// Lists of one system.
struct Ran {
    name: String,
    lists: Lists,
    scores: Vec<Vec<f32>>,
}

/// A list a user, best item first.
type Lists = Vec<Vec<u32>>;

/// Evaluates everything; predictions are those of the three towers.
///
/// # Errors
/// Of training, or told to stop.
pub fn evaluate(
    logs: &Logs,
    split: &Split,
    options: &Options,
    tell: &mut Tell<'_>,
) -> Result<(Report, Vec<Prediction>)> {
    let users = sample_users(split, options.users, options.budget.seed);
    let inner = split.validation();
    let validation_users = sample_users(&inner, Some(options.validation_users), options.budget.seed);
    let data = Data {
        users: users.len(),
        items: logs.items.len(),
        events: logs.events(),
        dropped: split.dropped,
        validation_users: validation_users.len(),
    };
    let bench = Bench { logs, split: &inner, users: validation_users, budget: options.budget };
    let mut run = Run {
        logs,
        split,
        users: &users,
        truth: truth(logs, split, &users),
        options,
        ran: Vec::new(),
        systems: Vec::new(),
    };
    let mut trials = Vec::new();

    run.add("popularity", json!({}), &Popularity::new(split, logs.items.len()))?;
    let settings = bench.knn(&mut trials, tell)?;
    let neighbours = Neighbours::new(split, logs.items.len(), settings.shrink, settings.neighbours);
    run.add("item-kNN", json!(settings), &ItemKnn { neighbours: &neighbours, settings, split })?;

    let two = bench.towers(false, &mut trials, tell)?;
    let model = train(logs, split, two, tell)?;
    let vectors = Vectors::new(&model, logs, split)?;
    run.add(
        system(false),
        json!({"train": two.settings, "ask": two.fusion}),
        &vectors.with_titles(two.fusion),
    )?;

    let three = bench.towers(true, &mut trials, tell)?;
    let model = train(logs, split, three, tell)?;
    let vectors = Vectors::new(&model, logs, split)?;
    run.add(
        system(true),
        json!({"train": three.settings, "ask": three.fusion}),
        &vectors.with_titles(three.fusion),
    )?;
    for (name, beta) in [("three towers, h_u alone (β = 1)", 1.0), ("three towers, tags alone (β = 0)", 0.0)]
    {
        let fusion = Fusion { beta, ..three.fusion };
        run.add(name, json!({"ask": fusion}), &vectors.with_titles(fusion))?;
    }

    let tags = vec![run.titles(), run.written(&vectors, three.fusion)?];
    let predictions = run.predictions(system(true));
    let differences = run.differences(system(true));
    let Run { systems, .. } = run;
    let schema = "concord.retrieval/1".into();
    Ok((Report { schema, data, systems, differences, tags, trials }, predictions))
}

/// Trains on all that comes before the held-out items, for as many passes as the validation chose.
fn train(logs: &Logs, split: &Split, chosen: Chosen, tell: &mut Tell<'_>) -> Result<Model> {
    let (trainer, mut model) = Trainer::new(logs, split, chosen.settings)?;
    let label = format!("{}, for the held-out items", system(chosen.settings.tags));
    trainer.run(&mut model, None, &mut |progress, _| {
        go_on(tell(&label, Some(progress)))?;
        Ok(Flow::Go)
    })?;
    Ok(model)
}

struct Run<'r> {
    logs: &'r Logs,
    split: &'r Split,
    users: &'r [usize],
    truth: Truth,
    options: &'r Options,
    ran: Vec<Ran>,
    systems: Vec<Measures>,
}

impl Run<'_> {
    fn lists(&self, scorer: &dyn Scorer, users: &[usize]) -> Result<(Lists, Vec<Vec<f32>>)> {
        let k = self.options.ks.iter().copied().max().unwrap_or(10);
        let ranked = rank(scorer, self.split, users, k)?;
        Ok(ranked.into_iter().map(|list| list.into_iter().unzip()).unzip())
    }

    fn add(&mut self, name: &str, settings: serde_json::Value, scorer: &dyn Scorer) -> Result<()> {
        let (lists, scores) = self.lists(scorer, self.users)?;
        self.systems.push(measure(name, settings, &lists, &self.truth, &self.options.ks));
        self.ran.push(Ran { name: name.to_owned(), lists, scores });
        Ok(())
    }

    /// The paper trains tags as item titles; for a catalogue's own title φ is the catalogue.
    fn titles(&self) -> TagSource {
        let categories = |user: &usize| {
            let events = self.split.train[*user].iter().rev();
            let mut met = std::collections::HashSet::new();
            let newest = events.filter(|event| met.insert(event.item)).take(30);
            newest.map(|event| self.truth.categories[event.item as usize].clone()).collect::<Vec<_>>()
        };
        let tags: Vec<Vec<Vec<String>>> = self.users.iter().map(categories).collect();
        TagSource {
            source: "latest titles".into(),
            users: self.users.len(),
            hr30: hr30(&tags, &self.truth.targets, &self.truth.categories),
            systems: Vec::new(),
            why: None,
        }
    }

    fn written(&self, vectors: &Vectors<'_>, fusion: Fusion) -> Result<TagSource> {
        let source = "written by the model".to_owned();
        let written = &self.options.written;
        let users: Vec<usize> =
            self.split.measured().into_iter().filter(|user| written.contains_key(user)).collect();
        if users.is_empty() {
            let why = "no measured user has tags that a model wrote without their last day: concord generate --hold-out writes some"
                .to_owned();
            let hr30 = Estimate::none("wilson", &why);
            return Ok(TagSource { source, users: 0, hr30, systems: Vec::new(), why: Some(why) });
        }
        let truth = truth(self.logs, self.split, &users);
        let mut texts = vec![Vec::new(); self.split.train.len()];
        let mut categories = Vec::with_capacity(users.len());
        for user in &users {
            texts[*user] = written[user].iter().map(|tag| tag.text.clone()).collect();
            categories.push(written[user].iter().map(|tag| Vec::from_iter(tag.category.clone())).collect());
        }
        let known = written.values().flatten().any(|tag| tag.category.is_some());
        let hr30 = if known {
            hr30(&categories, &truth.targets, &truth.categories)
        } else {
            Estimate::none("wilson", "there is no φ that maps tags to categories")
        };
        let tags = vectors.with_tags(Fusion { tags: 30, ..fusion }, &texts)?;
        let mut systems = Vec::new();
        for (name, scorer) in [
            ("three towers, tags written by the model", &tags as &dyn Scorer),
            ("three towers, latest titles, the same users", &vectors.with_titles(fusion)),
        ] {
            let (lists, _) = self.lists(scorer, &users)?;
            systems.push(measure(name, json!({"ask": fusion}), &lists, &truth, &self.options.ks));
        }
        Ok(TagSource { source, users: users.len(), hr30, systems, why: None })
    }

    fn differences(&self, ours: &str) -> Vec<Difference> {
        let of = |name: &str| {
            self.ran.iter().find(|ran| ran.name == name).map(|ran| ranks(&ran.lists, &self.truth.targets))
        };
        let Some(mine) = of(ours) else { return Vec::new() };
        let others = ["popularity", "item-kNN", "two towers"];
        let against = |name: &&str| {
            let theirs = of(name)?;
            let recall = self.options.ks.iter().map(|k| (*k, difference(&mine, &theirs, *k))).collect();
            Some(Difference { system: ours.to_owned(), minus: (*name).to_owned(), recall })
        };
        others.iter().filter_map(against).collect()
    }

    fn predictions(&self, name: &str) -> Vec<Prediction> {
        let Some(ran) = self.ran.iter().find(|ran| ran.name == name) else { return Vec::new() };
        let key = |item: &u32| self.logs.items[*item as usize].key.clone();
        let rows = self.users.iter().zip(ran.lists.iter().zip(&ran.scores));
        rows.map(|(user, (list, scores))| Prediction {
            user: self.logs.users[*user].key.clone(),
            items: list.iter().map(key).collect(),
            scores: scores.clone(),
        })
        .collect()
    }
}
