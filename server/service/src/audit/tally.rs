//! Comparing: references and verdicts of some clusters in, what each cluster adds to which card out. Pure.

use super::pattern::{JudgeCounts, Pattern, Unit};
use concord_domain::SampleId;
use concord_store::audit::VerdictRow;
use concord_store::references::ReferenceRow;
use std::collections::{BTreeMap, HashMap};

/// All decisions of a card's task pooled.
pub(super) const POOLED: &str = "*";
/// Whole samples: does it pass every criterion?
pub(super) const WHOLE: &str = "all";

/// Which card; `judge` is `None` for people among themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CardKey {
    pub task: String,
    pub criterion: String,
    pub judge: Option<String>,
    pub major: i32,
}

/// What one cluster adds: pattern by card, and how often.
pub(super) type ClusterTally = BTreeMap<CardKey, Vec<(Pattern, u32)>>;

/// The tallies of clusters and the newest rubric version seen by card.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub clusters: BTreeMap<i64, ClusterTally>,
    pub versions: HashMap<CardKey, String>,
}

/// How a reference is made of what people said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    /// The adjudication if there is one, else the strict majority.
    Majority,
    /// The adjudication if there is one, else only what all raters say alike.
    Unanimous,
    /// Only what a lead decided.
    Adjudicated,
}

impl Rule {
    /// The rule of that name.
    pub(super) fn parse(name: Option<&str>) -> concord_domain::api::Result<Self> {
        match name {
            None | Some("majority") => Ok(Self::Majority),
            Some("unanimous") => Ok(Self::Unanimous),
            Some("adjudicated") => Ok(Self::Adjudicated),
            Some(_) => {
                Err(concord_domain::Error::invalid("reference", "one of majority, unanimous, adjudicated"))
            }
        }
    }

    /// Its name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Unanimous => "unanimous",
            Self::Adjudicated => "adjudicated",
        }
    }

    fn outcome(self, row: &ReferenceRow) -> Option<bool> {
        match self {
            Self::Majority => row.pass,
            _ if row.adjudicated.is_some() => row.pass,
            Self::Unanimous => {
                let first = *row.votes.first()?;
                row.votes.iter().all(|vote| *vote == first).then_some(first)
            }
            Self::Adjudicated => None,
        }
    }
}

#[derive(Default)]
struct SampleRows {
    references: Vec<ReferenceRow>,
    verdicts: Vec<VerdictRow>,
}

/// Counts the clusters whose rows these are.
pub(super) fn tally(
    references: Vec<ReferenceRow>,
    verdicts: Vec<VerdictRow>,
    criteria: &HashMap<String, Vec<String>>,
    rule: Rule,
) -> Tally {
    let mut samples: BTreeMap<(i64, SampleId), SampleRows> = BTreeMap::new();
    for mut row in references {
        row.pass = rule.outcome(&row);
        samples.entry((row.cluster, row.sample)).or_default().references.push(row);
    }
    for row in verdicts {
        samples.entry((row.cluster, row.sample)).or_default().verdicts.push(row);
    }
    let mut tally = Tally::default();
    let mut building: BTreeMap<i64, Building> = BTreeMap::new();
    for ((cluster, _), rows) in samples {
        building.entry(cluster).or_default().sample(rows, criteria, &mut tally.versions);
    }
    tally.clusters = building.into_iter().map(|(cluster, built)| (cluster, built.finish())).collect();
    tally
}

/// A cluster as it is counted.
#[derive(Default)]
struct Building {
    judges: BTreeMap<CardKey, JudgeCounts>,
    units: BTreeMap<CardKey, BTreeMap<Unit, u32>>,
    raters: BTreeMap<CardKey, BTreeMap<String, u32>>,
}

impl Building {
    fn sample(
        &mut self,
        rows: SampleRows,
        criteria: &HashMap<String, Vec<String>>,
        versions: &mut HashMap<CardKey, String>,
    ) {
        let task = match (rows.references.first(), rows.verdicts.first()) {
            (Some(row), _) => row.task.clone(),
            (None, Some(row)) => row.task.clone(),
            (None, None) => return,
        };
        let wanted = criteria.get(&task).map(Vec::as_slice).unwrap_or_default();
        let whole = whole_reference(&rows.references, wanted);
        self.people(&task, &rows.references, whole.as_ref(), versions);
        let mut by_judge: BTreeMap<&str, Vec<&VerdictRow>> = BTreeMap::new();
        for verdict in &rows.verdicts {
            by_judge.entry(&verdict.judge).or_default().push(verdict);
        }
        for (judge, verdicts) in by_judge {
            self.judge(&task, judge, &verdicts, &rows.references, versions);
            self.judge_whole(&task, judge, &verdicts, wanted, whole.as_ref(), versions);
        }
    }

    fn people(
        &mut self,
        task: &str,
        references: &[ReferenceRow],
        whole: Option<&Whole>,
        versions: &mut HashMap<CardKey, String>,
    ) {
        let whole_row = whole.map(|whole| &whole.row);
        for (name, row) in references
            .iter()
            .flat_map(|row| [(row.criterion.as_str(), row), (POOLED, row)])
            .chain(whole_row.map(|row| (WHOLE, row)))
        {
            let key = key(task, name, None, row.major);
            note(versions, &key, &row.rubric_version);
            let pass = count(row.votes.iter().filter(|vote| **vote).count());
            let unit =
                Unit { pass, fail: count(row.votes.len()) - pass, outcome: row.pass, imported: row.imported };
            *self.units.entry(key.clone()).or_default().entry(unit).or_default() += 1;
            let raters = self.raters.entry(key).or_default();
            for rater in &row.raters {
                *raters.entry(rater.clone()).or_default() += 1;
            }
        }
    }

    fn judge(
        &mut self,
        task: &str,
        judge: &str,
        verdicts: &[&VerdictRow],
        references: &[ReferenceRow],
        versions: &mut HashMap<CardKey, String>,
    ) {
        for verdict in verdicts {
            let reference = references.iter().find(|row| {
                row.criterion == verdict.criterion && verdict.major.is_none_or(|major| major == row.major)
            });
            let major = reference.map(|row| row.major).or(verdict.major).unwrap_or_else(|| major(verdict));
            for name in [verdict.criterion.as_str(), POOLED] {
                let key = key(task, name, Some(judge), major);
                note(versions, &key, reference.map_or(&verdict.rubric_version, |row| &row.rubric_version));
                let counts = self.judges.entry(key).or_default();
                counts.verdict(verdict.pass);
                if let Some((row, human)) = reference.and_then(|row| Some((row, row.pass?))) {
                    counts.decision(verdict.pass, human, row.pi);
                }
            }
        }
    }

    fn judge_whole(
        &mut self,
        task: &str,
        judge: &str,
        verdicts: &[&VerdictRow],
        wanted: &[String],
        whole: Option<&Whole>,
        versions: &mut HashMap<CardKey, String>,
    ) {
        let said: Option<Vec<&VerdictRow>> = wanted
            .iter()
            .map(|name| verdicts.iter().find(|verdict| verdict.criterion == *name).copied())
            .collect();
        let Some(said) = said.filter(|said| !said.is_empty()) else { return };
        let pass = said.iter().try_fold(true, |all, verdict| Some(all & verdict.pass?));
        let whole = whole.filter(|whole| {
            said.iter().all(|verdict| verdict.major.is_none_or(|major| major == whole.row.major))
        });
        let major = whole.map(|whole| whole.row.major).or(said[0].major).unwrap_or_else(|| major(said[0]));
        let key = key(task, WHOLE, Some(judge), major);
        note(versions, &key, whole.map_or(&said[0].rubric_version, |whole| &whole.row.rubric_version));
        let counts = self.judges.entry(key).or_default();
        counts.verdict(pass);
        if let Some((whole, human)) = whole.and_then(|whole| Some((whole, whole.row.pass?))) {
            counts.decision(pass, human, whole.row.pi);
        }
    }

    fn finish(self) -> ClusterTally {
        let mut tally = ClusterTally::new();
        for (key, counts) in self.judges {
            tally.entry(key).or_default().push((Pattern::Judge(counts), 1));
        }
        for (key, units) in self.units {
            tally.entry(key).or_default().extend(units.into_iter().map(|(u, n)| (Pattern::Unit(u), n)));
        }
        for (key, raters) in self.raters {
            tally.entry(key).or_default().extend(raters.into_iter().map(|(r, n)| (Pattern::Rater(r), n)));
        }
        tally
    }
}

/// The reference of a whole sample: every criterion's, put together.
struct Whole {
    row: ReferenceRow,
}

/// `None` unless every wanted criterion is labelled under one major version. It passes if all do; one tie
/// leaves it open. Its votes are those of raters who answered every criterion.
fn whole_reference(references: &[ReferenceRow], wanted: &[String]) -> Option<Whole> {
    let rows: Vec<&ReferenceRow> = wanted
        .iter()
        .map(|name| references.iter().find(|row| row.criterion == *name))
        .collect::<Option<_>>()?;
    let first = *rows.first()?;
    if rows.iter().any(|row| row.major != first.major) {
        return None;
    }
    let votes: Vec<(String, bool)> = first
        .raters
        .iter()
        .filter_map(|rater| {
            let all = rows.iter().try_fold(true, |all, row| {
                let place = row.raters.iter().position(|other| other == rater)?;
                Some(all & row.votes[place])
            })?;
            Some((rater.clone(), all))
        })
        .collect();
    let (raters, votes) = votes.into_iter().unzip();
    let row = ReferenceRow {
        criterion: WHOLE.to_owned(),
        raters,
        votes,
        pass: rows.iter().try_fold(true, |all, row| Some(all & row.pass?)),
        imported: rows.iter().any(|row| row.imported),
        ..first.clone()
    };
    Some(Whole { row })
}

fn key(task: &str, criterion: &str, judge: Option<&str>, major: i32) -> CardKey {
    CardKey { task: task.to_owned(), criterion: criterion.to_owned(), judge: judge.map(str::to_owned), major }
}

fn note(versions: &mut HashMap<CardKey, String>, key: &CardKey, version: &str) {
    match versions.get_mut(key) {
        Some(known) if known.as_str() >= version => {}
        Some(known) => version.clone_into(known),
        None => {
            versions.insert(key.clone(), version.to_owned());
        }
    }
}

/// The major version of what an imported verdict was judged by: its sample's.
fn major(verdict: &VerdictRow) -> i32 {
    major_of(&verdict.rubric_version)
}

/// The first number of a version, as the store reads it; 0 where there is none.
pub(crate) fn major_of(version: &str) -> i32 {
    concord_store::audit::major(version).unwrap_or(0)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
