//! The steps of a round that learns what users did lately: interests anew, what their last clicks and purchases teach, and
//! whether the new model's tags reach the next thing more often (HR@30).

use super::{Looked, Rounds, steps};
use crate::audit::estimate;
use crate::evaluation;
use crate::evolve::gather::Gatherer;
use crate::jobs::{JobError, Progress};
use crate::judging::Judge;
use crate::work;
use concord_agreement::{Estimate, cluster_bootstrap, proportion};
use concord_domain::{Actor, GenerationRequest, HitRate, LogLesson, Round};
use concord_store::log_lessons;
use concord_store::rounds;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::PgConnection;

/// Tags of a user whose interests are made anew, at most: they are not what is learnt.
const REFRESHED_TAGS: u32 = 10;
const REPLICATES: usize = 2000;

impl Rounds {
    /// Plans new interests for users of the train half who did something lately.
    pub(super) async fn plan_refresh(&self, round: &Round, actor: &Actor) -> Result<Looked, JobError> {
        let (plan, log) = (&round.plan, lesson(round)?);
        let model = self.models.generator.info().await?;
        let mut tx = self.pool.begin().await?;
        let since = since(&mut tx, log).await?;
        let seed = steps::seed(round);
        let drawn = log_lessons::pick_active(
            &mut tx,
            plan.lang.as_deref(),
            plan.users.into(),
            seed,
            since,
            work::MIN_RELIABLE,
        )
        .await?;
        if drawn.is_empty() {
            return Err(JobError::give_up(format!(
                "no user of the train half with a history clicked or bought anything titled in the last {} days of the log",
                log.days
            )));
        }
        let request = GenerationRequest {
            interests: plan.interests,
            tags: plan.tags.min(REFRESHED_TAGS),
            explanations: 0,
            history_tokens: plan.history_tokens,
            seed: plan.seed,
            ..GenerationRequest::default()
        };
        let generation =
            work::plan_in(&mut tx, actor, &request, &model, &drawn, true).await.map_err(steps::said)?;
        let detail = json!({
            "generation": generation, "model": model.name, "users": drawn.len(), "since": since.to_string(),
        });
        self.begun(tx, round, "refresh", &detail).await
    }

    /// What users' last days teach, a user a transaction: one that is stored is not asked about again.
    pub(super) async fn gather(&self, round: &Round, progress: &Progress) -> Result<Looked, JobError> {
        let log = lesson(round)?;
        let refreshed = steps::of(round, "refresh")?;
        let since = round.step("refresh").and_then(|it| it.detail["since"].as_str()?.parse().ok());
        let gatherer = Gatherer {
            pool: &self.pool,
            judge: Judge { pool: self.pool.clone(), models: self.models.clone() },
            lens: &self.lens,
            log,
            since: since.ok_or_else(|| JobError::give_up("the refresh says no day"))?,
            seed: round.plan.seed,
            history_tokens: round.plan.history_tokens,
            refreshed,
        };
        let (open, all) = log_lessons::missing(&mut *self.pool.acquire().await?, round.id, refreshed).await?;
        for (n, user) in (0_i64..).zip(&open) {
            let done = all - i64::try_from(open.len()).unwrap_or(i64::MAX) + n;
            progress.say(done, all, "reading what users did lately").await;
            let (sifted, rows) = gatherer.of_user(*user, progress).await?;
            let mut tx = self.pool.begin().await?;
            if !rounds::lock(&mut tx, round.id).await? {
                return Err(JobError::again(0, "the round was stopped"));
            }
            log_lessons::insert(&mut tx, round.id, *user, &sifted, &rows).await?;
            tx.commit().await?;
        }
        let (sifted, rows) = log_lessons::total(&mut *self.pool.acquire().await?, round.id).await?;
        if rows == 0 {
            let why = format!(
                "nothing to learn: of {} things {} are out of place, the others of users of whose earlier history no line fits {} tokens",
                sifted.seen, sifted.out_of_place, round.plan.history_tokens
            );
            return Ok(Looked::Nothing(why));
        }
        Ok(Looked::Done(json!({
            "users": all, "things": sifted.seen, "out_of_place": sifted.out_of_place, "category_full": sifted.no_room,
            "of_known_interests": sifted.matched, "interests_completed": sifted.completed, "rows": rows,
        })))
    }

    /// HR@30 of both models on the same users, whose last day neither has seen.
    pub(super) async fn hit_rate(&self, round: &Round) -> Result<Looked, JobError> {
        let mut conn = self.pool.acquire().await?;
        let before = evaluation::hits(&mut conn, steps::of(round, "generate")?).await?;
        let after = evaluation::hits(&mut conn, steps::of(round, "generate_new")?).await?;
        let pairs: Vec<(evaluation::Hit, evaluation::Hit)> =
            before.into_iter().filter_map(|(user, it)| Some((it, *after.get(&user)?))).collect();
        Ok(Looked::Done(json!({"hit_rate": compared(&pairs)})))
    }
}

fn lesson(round: &Round) -> Result<&LogLesson, JobError> {
    round.plan.log.as_ref().ok_or_else(|| JobError::give_up("this round does not learn from the log"))
}

/// Where the last days of the log begin.
async fn since(conn: &mut PgConnection, log: &LogLesson) -> Result<Timestamp, JobError> {
    let newest = log_lessons::newest(conn).await?;
    let newest = newest.ok_or_else(|| JobError::give_up("no behaviour of the log has a time"))?;
    newest
        .checked_sub(SignedDuration::from_hours(24 * i64::from(log.days)))
        .map_err(|_| JobError::give_up("so many days before the newest behaviour is no date"))
}

/// Shares of users hit before and after, and the difference, users resampled in pairs.
fn compared(pairs: &[(evaluation::Hit, evaluation::Hit)]) -> HitRate {
    let n = pairs.len() as u64;
    let hits =
        |of: fn(&(evaluation::Hit, evaluation::Hit)) -> bool| pairs.iter().filter(|it| of(it)).count() as u64;
    let (before, after) = (hits(|it| it.0.hit), hits(|it| it.1.hit));
    let number = |hit: bool| f64::from(u8::from(hit));
    let rows: Vec<([f64; 3], u64)> =
        pairs.iter().map(|(a, b)| ([number(a.hit), number(b.hit), 1.0], 1)).collect();
    let gain = |sums: &[f64; 3]| [(sums[2] > 0.0).then(|| (sums[1] - sums[0]) / sums[2])];
    let mut all = [0.0; 3];
    for (row, _) in &rows {
        all.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let [spread] = cluster_bootstrap(&rows, gain, REPLICATES, 1);
    let gain = match gain(&all)[0] {
        Some(value) => Estimate::at95("cluster_bootstrap", n, value, spread.se, spread.ci),
        None => Estimate::none("cluster_bootstrap", n, "no user whose next thing has a category"),
    };
    let mean = |of: fn(&(evaluation::Hit, evaluation::Hit)) -> u32| {
        pairs.iter().map(|it| f64::from(of(it))).sum::<f64>() / all[2].max(1.0)
    };
    HitRate {
        before: estimate(proportion(before, n)),
        after: estimate(proportion(after, n)),
        gain: estimate(gain),
        tags: [mean(|it| it.0.tags), mean(|it| it.1.tags)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_is_of_the_same_users() {
        let hit = |hit, tags| evaluation::Hit { hit, tags };
        let mut pairs = vec![(hit(true, 30), hit(true, 20)); 10];
        pairs.extend(vec![(hit(false, 30), hit(true, 20)); 30]);
        pairs.extend(vec![(hit(true, 30), hit(false, 20)); 10]);
        let found = compared(&pairs);
        assert_eq!((found.before.est, found.after.est, found.gain.est), (Some(0.4), Some(0.8), Some(0.4)));
        let (low, high) = found.gain.ci.expect("an interval");
        assert!((0.1..0.4).contains(&low) && (0.4..0.7).contains(&high), "{low} {high}");
        assert_eq!(found.tags, [30.0, 20.0]);
        let none = compared(&[]);
        assert_eq!((none.gain.est, none.before.est), (None, None));
    }
}
