//! Verdicts and labels of two generations, a pair of tallies a user.

use concord_agreement::gate::{Pair, Tallied};
use concord_domain::GenerationId;
use concord_store::gate::Audited;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Pairs by what is compared.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// Whole samples.
    pub(super) overall: Vec<Pair>,
    /// Each criterion of each task.
    pub(super) criteria: Vec<(String, Vec<Pair>)>,
}

/// What is said of a sample: by the judge and, where all criteria are labelled, by people.
#[derive(Default)]
struct Whole {
    judged: i64,
    judge: bool,
    labelled: i64,
    people: bool,
}

pub(super) fn fold(rows: &[Audited], new: GenerationId) -> Folded {
    let mut wholes: BTreeMap<(i64, bool, Uuid), (Whole, i64)> = BTreeMap::new();
    let mut criteria: BTreeMap<String, BTreeMap<i64, Pair>> = BTreeMap::new();
    for row in rows {
        let is_new = row.generation == new;
        let pairs = criteria.entry(format!("{} {}", row.task, row.criterion)).or_default();
        add(side(pairs.entry(row.user).or_default(), is_new), row.judge, row.people);
        let (whole, needed) = wholes
            .entry((row.user, is_new, row.sample))
            .or_insert_with(|| (Whole { judge: true, people: true, ..Whole::default() }, row.criteria));
        *needed = row.criteria;
        whole.judged += 1;
        whole.judge &= row.judge;
        whole.labelled += i64::from(row.people.is_some());
        whole.people &= row.people != Some(false);
    }
    let mut overall: BTreeMap<i64, Pair> = BTreeMap::new();
    for ((user, is_new, _), (whole, needed)) in wholes {
        if whole.judged == needed {
            let people = (whole.labelled == needed).then_some(whole.people);
            add(side(overall.entry(user).or_default(), is_new), whole.judge, people);
        }
    }
    Folded {
        overall: overall.into_values().collect(),
        criteria: criteria.into_iter().map(|(name, users)| (name, users.into_values().collect())).collect(),
    }
}

fn side((old, new): &mut Pair, is_new: bool) -> &mut Tallied {
    if is_new { new } else { old }
}

fn add(to: &mut Tallied, judge: bool, people: Option<bool>) {
    let (verdicts, labelled) = if judge {
        (&mut to.verdicts.0, &mut to.labelled_pass)
    } else {
        (&mut to.verdicts.1, &mut to.labelled_fail)
    };
    *verdicts += 1;
    if let Some(pass) = people {
        labelled.0 += 1;
        labelled.1 += u64::from(pass);
    }
}
