//! Comparing: references and verdicts of some clusters in, what each cluster adds to which card out. Pure.

use super::pattern::{JudgeCounts, Pattern, Unit};
use concord_domain::SampleId;
use concord_store::audit::{CardRow, VerdictRow};
use concord_store::references::ReferenceRow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All decisions of a card's task pooled.
pub(super) const POOLED: &str = "*";
/// Whole samples: does it pass every criterion?
pub(super) const WHOLE: &str = "all";

/// Which card; `judge` is `None` for people among themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CardKey {
    pub task: Arc<str>,
    pub criterion: Arc<str>,
    pub judge: Option<Arc<str>>,
    pub major: i32,
}

impl CardKey {
    pub(super) fn of(row: &CardRow) -> Self {
        Self {
            task: row.task.as_str().into(),
            criterion: row.criterion.as_str().into(),
            judge: row.judge.as_deref().map(Into::into),
            major: row.major,
        }
    }
}

/// What one cluster adds: pattern by card, and how often.
pub(super) type ClusterTally = BTreeMap<CardKey, Vec<(Pattern, u32)>>;

/// The tallies of clusters and the newest rubric version seen by card.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub clusters: BTreeMap<i64, ClusterTally>,
    pub versions: HashMap<CardKey, Arc<str>>,
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
    let names = Names { pooled: POOLED.into(), whole: WHOLE.into() };
    for ((cluster, _), rows) in samples {
        building.entry(cluster).or_default().sample(rows, criteria, &names);
    }
    for (cluster, built) in building {
        tally.clusters.insert(cluster, built.finish(&mut tally.versions));
    }
    tally
}

/// Names that keys share.
struct Names {
    pooled: Arc<str>,
    whole: Arc<str>,
}

/// Counts, and the newest rubric version among them.
struct Counts<T> {
    version: Arc<str>,
    what: T,
}

/// A cluster as it is counted.
#[derive(Default)]
struct Building {
    judges: BTreeMap<CardKey, Counts<JudgeCounts>>,
    units: BTreeMap<CardKey, Counts<BTreeMap<Unit, u32>>>,
    raters: BTreeMap<CardKey, BTreeMap<String, u32>>,
}

/// The counts of a card, which now are of this version too.
fn counts<'m, T: Default>(
    of: &'m mut BTreeMap<CardKey, Counts<T>>,
    key: CardKey,
    version: &Arc<str>,
) -> &'m mut T {
    let counts = of.entry(key).or_insert_with(|| Counts { version: Arc::clone(version), what: T::default() });
    if counts.version < *version {
        counts.version = Arc::clone(version);
    }
    &mut counts.what
}

impl Building {
    fn sample(&mut self, rows: SampleRows, criteria: &HashMap<String, Vec<String>>, names: &Names) {
        let task = match (rows.references.first(), rows.verdicts.first()) {
            (Some(row), _) => Arc::clone(&row.task),
            (None, Some(row)) => Arc::clone(&row.task),
            (None, None) => return,
        };
        let wanted = criteria.get(&*task).map(Vec::as_slice).unwrap_or_default();
        let whole = whole_reference(&rows.references, wanted, names);
        self.people(&task, &rows.references, whole.as_ref(), names);
        let mut by_judge: BTreeMap<&Arc<str>, Vec<&VerdictRow>> = BTreeMap::new();
        for verdict in &rows.verdicts {
            by_judge.entry(&verdict.judge).or_default().push(verdict);
        }
        for (judge, verdicts) in by_judge {
            self.judge(&task, judge, &verdicts, &rows.references, names);
            self.judge_whole(&task, judge, &verdicts, wanted, whole.as_ref(), names);
        }
    }

    fn people(&mut self, task: &Arc<str>, references: &[ReferenceRow], whole: Option<&Whole>, names: &Names) {
        let whole_row = whole.map(|whole| &whole.row);
        for (name, row) in references
            .iter()
            .flat_map(|row| [(&row.criterion, row), (&names.pooled, row)])
            .chain(whole_row.map(|row| (&names.whole, row)))
        {
            let key = key(task, name, None, row.major);
            let pass = count(row.votes.iter().filter(|vote| **vote).count());
            let unit =
                Unit { pass, fail: count(row.votes.len()) - pass, outcome: row.pass, imported: row.imported };
            *counts(&mut self.units, key.clone(), &row.rubric_version).entry(unit).or_default() += 1;
            let raters = self.raters.entry(key).or_default();
            for rater in &row.raters {
                match raters.get_mut(rater) {
                    Some(times) => *times += 1,
                    None => _ = raters.insert(rater.clone(), 1),
                }
            }
        }
    }

    fn judge(
        &mut self,
        task: &Arc<str>,
        judge: &Arc<str>,
        verdicts: &[&VerdictRow],
        references: &[ReferenceRow],
        names: &Names,
    ) {
        for verdict in verdicts {
            let reference = references.iter().find(|row| {
                row.criterion == verdict.criterion && verdict.major.is_none_or(|major| major == row.major)
            });
            let major = reference.map(|row| row.major).or(verdict.major).unwrap_or_else(|| major(verdict));
            let version = reference.map_or(&verdict.rubric_version, |row| &row.rubric_version);
            for name in [&verdict.criterion, &names.pooled] {
                let counts = counts(&mut self.judges, key(task, name, Some(judge), major), version);
                counts.verdict(verdict.pass);
                if let Some((row, human)) = reference.and_then(|row| Some((row, row.pass?))) {
                    counts.decision(verdict.pass, human, row.pi);
                }
            }
        }
    }

    fn judge_whole(
        &mut self,
        task: &Arc<str>,
        judge: &Arc<str>,
        verdicts: &[&VerdictRow],
        wanted: &[String],
        whole: Option<&Whole>,
        names: &Names,
    ) {
        let said: Option<Vec<&VerdictRow>> = wanted
            .iter()
            .map(|name| verdicts.iter().find(|verdict| *verdict.criterion == **name).copied())
            .collect();
        let Some(said) = said.filter(|said| !said.is_empty()) else { return };
        let pass = said.iter().try_fold(true, |all, verdict| Some(all & verdict.pass?));
        let whole = whole.filter(|whole| {
            said.iter().all(|verdict| verdict.major.is_none_or(|major| major == whole.row.major))
        });
        let major = whole.map(|whole| whole.row.major).or(said[0].major).unwrap_or_else(|| major(said[0]));
        let version = whole.map_or(&said[0].rubric_version, |whole| &whole.row.rubric_version);
        let counts = counts(&mut self.judges, key(task, &names.whole, Some(judge), major), version);
        counts.verdict(pass);
        if let Some((whole, human)) = whole.and_then(|whole| Some((whole, whole.row.pass?))) {
            counts.decision(pass, human, whole.row.pi);
        }
    }

    fn finish(self, versions: &mut HashMap<CardKey, Arc<str>>) -> ClusterTally {
        let mut tally = ClusterTally::new();
        for (key, Counts { version, what }) in self.judges {
            note(versions, &key, version);
            tally.entry(key).or_default().push((Pattern::Judge(what), 1));
        }
        for (key, Counts { version, what: units }) in self.units {
            note(versions, &key, version);
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
fn whole_reference(references: &[ReferenceRow], wanted: &[String], names: &Names) -> Option<Whole> {
    let rows: Vec<&ReferenceRow> = wanted
        .iter()
        .map(|name| references.iter().find(|row| *row.criterion == **name))
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
        criterion: Arc::clone(&names.whole),
        raters,
        votes,
        pass: rows.iter().try_fold(true, |all, row| Some(all & row.pass?)),
        imported: rows.iter().any(|row| row.imported),
        ..first.clone()
    };
    Some(Whole { row })
}

fn key(task: &Arc<str>, criterion: &Arc<str>, judge: Option<&Arc<str>>, major: i32) -> CardKey {
    CardKey { task: Arc::clone(task), criterion: Arc::clone(criterion), judge: judge.cloned(), major }
}

fn note(versions: &mut HashMap<CardKey, Arc<str>>, key: &CardKey, version: Arc<str>) {
    match versions.get_mut(key) {
        Some(known) if *known >= version => {}
        Some(known) => *known = version,
        None => _ = versions.insert(key.clone(), version),
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
