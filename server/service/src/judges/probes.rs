//! Probing a judge: what it says of a sample before and after a change. What is planted is asked about and its
//! answers are kept in tables of their own; it is never a sample.

use super::read::Read;
use super::setup;
use crate::audit::estimate;
use crate::jobs::{JobError, Progress};
use crate::judging::{Judge, Subject, load};
use concord_agreement::{mcnemar, proportion};
use concord_domain::{Change, Negative, ProbeReport, Sample, SampleId};
use concord_pipeline::judge::{Probe, Probes};
use concord_store::probes::{self, Answer};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a probe job works on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ProbeArgs {
    /// The run.
    pub probe: Uuid,
}

impl Judge {
    /// Runs the probes that are not answered yet, a sample at a time.
    ///
    /// # Errors
    /// [`JobError`]: whether to try again, and when.
    pub async fn probe(&self, args: ProbeArgs, progress: &Progress) -> Result<(), JobError> {
        let planted = Probes::shipped()?;
        let mut conn = self.pool.acquire().await?;
        let found = probes::list(&mut conn, None, Some(args.probe)).await?.pop();
        let task = found.ok_or_else(|| JobError::give_up("the run of probes is gone"))?.task;
        let setup = self.setup(&mut conn, &task).await?;
        let run = probes::start(&mut conn, args.probe, &setup.judge).await?;
        let run = run.ok_or_else(|| JobError::give_up("the run of probes is gone"))?;
        if run.judge.as_deref() != Some(&*setup.judge) {
            return Err(JobError::give_up(
                "another judge has taken the place of the one this run began with: start a new run",
            ));
        }
        let drawn = probes::draw(&mut conn, &task, run.seed, run.samples.into()).await?;
        let done: BTreeSet<SampleId> =
            probes::answers(&mut conn, run.id).await?.into_iter().map(|answer| answer.sample).collect();
        drop(conn);
        let total = i64::try_from(drawn.len()).unwrap_or(0);
        for (at, sample) in (0_i64..).zip(drawn) {
            progress.say(at, total, "probing").await;
            if done.contains(&sample) {
                continue;
            }
            let answers = self.probe_one(&setup, &planted, sample, run.seed).await?;
            let mut tx = self.pool.begin().await?;
            probes::insert_answers(&mut tx, run.id, &answers).await?;
            tx.commit().await?;
        }
        let mut conn = self.pool.acquire().await?;
        Ok(probes::finish(&mut conn, run.id).await?)
    }

    /// Every probe of one sample; the sample as it is comes first, so that before and after are asked alike.
    async fn probe_one(
        &self,
        setup: &setup::Setup,
        planted: &Probes,
        id: SampleId,
        seed: i64,
    ) -> Result<Vec<Answer>, JobError> {
        let mut conn = self.pool.acquire().await?;
        let donor = probes::donor(&mut conn, id, seed).await?;
        let subject =
            load(&mut conn, &[id]).await?.pop().ok_or_else(|| JobError::give_up("the sample is gone"))?;
        let given = match donor {
            Some(donor) => load(&mut conn, &[donor]).await?.pop().map(|it| it.sample),
            None => None,
        };
        drop(conn);
        let changed: Vec<(Probe, Subject)> = Probe::ALL
            .into_iter()
            .filter_map(|probe| {
                let sample = planted.change(probe, &subject.sample, given.as_ref(), seed.cast_unsigned())?;
                Some((probe, Subject { sample, rubric: subject.rubric.clone() }))
            })
            .collect();
        // The changed order of the history comes last: the others share the context, which is read once for them.
        let all: Vec<Subject> =
            [subject].into_iter().chain(changed.iter().map(|(_, it)| it.clone())).collect();
        let heard = self.hear(&setup.sets, &all).await?;
        let samples: Vec<&Sample> = all.iter().map(|it| &it.sample).collect();
        let similar = self.similarities(setup, &samples).await?;
        let verdicts: Vec<Vec<Read>> = heard
            .iter()
            .zip(similar)
            .zip(&all)
            .map(|((heard, similar), subject)| heard.verdicts(setup, &subject.rubric, similar))
            .collect();
        let (before, after) = verdicts.split_first().ok_or_else(|| JobError::give_up("nothing was asked"))?;
        let mut answers = Vec::new();
        for ((probe, subject), after) in changed.iter().zip(after) {
            for (place, criterion) in subject.rubric.criteria.iter().enumerate() {
                let must_fail = planted.must_fail(*probe, &subject.sample.task, criterion);
                if !must_fail && !matches!(probe, Probe::Padding | Probe::Order) {
                    continue;
                }
                let of = |verdicts: &[Read]| verdicts.get(place).map_or((None, None), |it| (it.pass, it.p));
                answers.push(Answer {
                    kind: probe.as_str().to_owned(),
                    sample: id,
                    donor: donor.filter(|_| *probe == Probe::OtherUser),
                    criterion: criterion.name.clone(),
                    must_fail,
                    before: of(before),
                    after: of(after),
                });
            }
        }
        Ok(answers)
    }
}

/// A run in figures.
pub(super) fn report(run: probes::Probe, answers: &[Answer]) -> ProbeReport {
    let mut groups: BTreeMap<(&str, &str), Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        groups.entry((&answer.kind, &answer.criterion)).or_default().push(answer);
    }
    let mut report = ProbeReport {
        id: run.id,
        task: run.task,
        judge: run.judge,
        samples: run.samples,
        seed: run.seed,
        at: run.created_at,
        finished_at: run.finished_at,
        negatives: Vec::new(),
        changes: Vec::new(),
    };
    for ((kind, criterion), answers) in groups {
        if answers.iter().all(|answer| answer.must_fail) {
            report.negatives.push(negative(kind, criterion, &answers));
        } else {
            report.changes.push(change(kind, criterion, &answers));
        }
    }
    report
}

fn negative(kind: &str, criterion: &str, answers: &[&Answer]) -> Negative {
    let read: Vec<bool> = answers.iter().filter_map(|answer| answer.after.0).collect();
    let failed = read.iter().filter(|pass| !**pass).count() as u64;
    Negative {
        kind: kind.to_owned(),
        criterion: criterion.to_owned(),
        specificity: estimate(proportion(failed, read.len() as u64)),
        n_unparsed: (answers.len() - read.len()) as u64,
    }
}

fn change(kind: &str, criterion: &str, answers: &[&Answer]) -> Change {
    let read: Vec<(bool, bool)> =
        answers.iter().filter_map(|answer| Some((answer.before.0?, answer.after.0?))).collect();
    let count = |pair: (bool, bool)| read.iter().filter(|read| **read == pair).count() as u64;
    let (pass_to_fail, fail_to_pass) = (count((true, false)), count((false, true)));
    let shifts: Vec<f64> =
        answers.iter().filter_map(|answer| Some(answer.after.1? - answer.before.1?)).collect();
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand samples")]
    let mean_shift = (!shifts.is_empty()).then(|| shifts.iter().sum::<f64>() / shifts.len() as f64);
    Change {
        kind: kind.to_owned(),
        criterion: criterion.to_owned(),
        flips: estimate(proportion(pass_to_fail + fail_to_pass, read.len() as u64)),
        pass_to_fail,
        fail_to_pass,
        p: mcnemar::exact_p(pass_to_fail, fail_to_pass),
        mean_shift,
        n_unparsed: (answers.len() - read.len()) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, before: Option<bool>, after: Option<bool>) -> Answer {
        Answer {
            kind: kind.into(),
            sample: SampleId(Uuid::now_v7()),
            donor: None,
            criterion: "relevance".into(),
            must_fail: kind == "other_user",
            before: (before, before.map(|pass| if pass { 0.8 } else { 0.3 })),
            after: (after, after.map(|pass| if pass { 0.8 } else { 0.3 })),
        }
    }

    #[test]
    fn a_report_counts_what_was_read_and_says_what_was_not() {
        let run = probes::Probe {
            id: Uuid::nil(),
            task: "tag".into(),
            judge: Some("j".into()),
            samples: 5,
            seed: 1,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            finished_at: None,
        };
        let (pass, fail) = (Some(true), Some(false));
        let answers = [
            answer("other_user", pass, fail),
            answer("other_user", pass, pass),
            answer("other_user", pass, fail),
            answer("other_user", pass, None),
            answer("padding", pass, fail),
            answer("padding", pass, pass),
            answer("padding", fail, pass),
            answer("padding", pass, fail),
            answer("padding", None, pass),
        ];
        let report = report(run, &answers);
        let negative = &report.negatives[0];
        assert_eq!((negative.specificity.n, negative.n_unparsed), (3, 1));
        assert!((negative.specificity.est.expect("a share") - 2.0 / 3.0).abs() < 1e-12);
        let change = &report.changes[0];
        assert_eq!(
            (change.pass_to_fail, change.fail_to_pass, change.flips.n, change.n_unparsed),
            (2, 1, 4, 1)
        );
        assert_eq!(change.p, Some(1.0));
        assert!((change.mean_shift.expect("a shift") - -0.125).abs() < 1e-12);
    }
}
