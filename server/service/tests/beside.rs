//! What people say beside their answers, and what is said of them: surplus, escalations, evidence, earlier links,
//! assisted answers, one's own work.

use crate::world::World;
use concord_domain::api::{Programmes, Review, Samples};
use concord_domain::{
    Actor, Answer, Assignment, Error, EscalationEnd, EscalationOutcome, GoldAnswer, GoldRequest, Phase,
    Programme, Role, SampleId, Submission,
};
use concord_service::programmes::ProgrammesService;
use concord_service::review::ReviewService;
use concord_service::samples::SamplesService;
use sqlx::{AssertSqlSafe, PgPool};

const CRITERIA: [&str; 4] = ["relevance", "consistency", "specificity", "validity"];

fn answers(phase: Phase, label: &str) -> Submission {
    let answers = CRITERIA.iter().map(|c| Answer { criterion: (*c).into(), label: label.into() }).collect();
    Submission { phase, answers, comment: None, seconds: Some(4.0), unsupported: Vec::new() }
}

fn blind(label: &str) -> Submission {
    answers(Phase::Blind, label)
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("should be refused").code().to_owned()
}

struct Desk {
    world: World,
    pool: PgPool,
    review: ReviewService,
    programmes: ProgrammesService,
    samples: SamplesService,
    lead: Actor,
}

impl Desk {
    async fn new(pool: PgPool) -> Self {
        let world = World::new(&pool).await;
        let lead = world.account("lead", Role::Lead).await;
        let (review, programmes) = (ReviewService::new(pool.clone()), ProgrammesService::new(pool.clone()));
        let samples = SamplesService::new(pool.clone());
        Self { world, pool, review, programmes, samples, lead }
    }

    async fn person(&self, name: &str) -> Actor {
        self.world.account(name, Role::Annotator).await
    }

    async fn next(&self, of: &Actor) -> Option<Assignment> {
        self.review.next(of, None, 1).await.unwrap().pop()
    }

    async fn submit(&self, of: &Actor, one: &Assignment, submission: Submission) -> Result<(), Error> {
        let key = format!("{}-{:?}", one.id, submission.phase);
        self.review.submit(of, one.id, &key, submission).await.map(|_| ())
    }

    async fn sql(&self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.unwrap();
    }

    async fn number(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap()
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_late_answer_that_is_not_needed_is_kept_and_counted_nowhere(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(1).await;
    let (ann, bob) = (desk.person("ann").await, desk.person("bob").await);
    let hers = desk.next(&ann).await.unwrap();
    desk.world.lapse_leases().await;
    let his = desk.next(&bob).await.unwrap();
    let mut wrong = blind("pass");
    wrong.answers.pop();
    assert!(desk.submit(&ann, &hers, wrong).await.unwrap_err().to_string().contains("validity is missing"));
    for _ in 0..3 {
        assert_eq!(code(desk.submit(&ann, &hers, blind("fail")).await), "overlap_full");
    }
    assert_eq!((desk.world.count("surplus_answers").await, desk.world.count("labels").await), (1, 0));
    let own = desk.programmes.own_work(&ann).await.unwrap();
    assert_eq!(
        own.recent.iter().map(|s| (s.sample, s.surplus)).collect::<Vec<_>>(),
        [(hers.sample.id, true)]
    );
    assert!(own.days.is_empty());
    assert_eq!(code(desk.review.reveal(&ann, hers.id).await), "not_submitted");
    assert!(desk.world.try_sql("delete from surplus_answers").await.is_err(), "append-only");
    // The place opens again, and the same answer is taken after all.
    desk.review.skip(&bob, his.id, "unsure").await.unwrap();
    desk.submit(&ann, &hers, blind("fail")).await.unwrap();
    let own = desk.programmes.own_work(&ann).await.unwrap();
    assert_eq!(own.recent.iter().map(|s| s.surplus).collect::<Vec<_>>(), [false]);
    assert_eq!((own.days[0].samples, own.days[0].median_seconds), (1, Some(4.0)));
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_escalated_sample_goes_to_somebody_else_and_ends_in_a_guideline_or_a_wont(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(1).await;
    let (ann, bob) = (desk.person("ann").await, desk.person("bob").await);
    let one = desk.next(&ann).await.unwrap();
    assert_eq!(code(desk.review.escalate(&ann, one.id, "  ").await), "invalid");
    desk.review.escalate(&ann, one.id, "is a brand a tag?").await.unwrap();
    desk.review.escalate(&ann, one.id, "again").await.unwrap();
    assert!(desk.next(&ann).await.is_none());
    let his = desk.next(&bob).await.expect("the place is free again");
    assert!(matches!(desk.review.escalate(&ann, his.id, "not mine").await, Err(Error::NotFound { .. })));
    desk.submit(&bob, &his, blind("pass")).await.unwrap();
    assert_eq!(code(desk.review.escalate(&bob, his.id, "late").await), "already_submitted");

    assert_eq!(desk.programmes.escalations(&ann, true).await, Err(Error::Forbidden));
    let open = desk.programmes.escalations(&desk.lead, true).await.unwrap();
    assert_eq!(
        (open.len(), open[0].reason.as_str(), open[0].sample),
        (1, "is a brand a tag?", one.sample.id)
    );
    let end = |outcome, note: &str, rubric: Option<&str>| EscalationOutcome {
        outcome,
        note: note.into(),
        rubric: rubric.map(Into::into),
    };
    let resolve = |outcome| desk.programmes.resolve_escalation(&desk.lead, open[0].id, outcome);
    for (outcome, field) in [
        (end(EscalationEnd::Wont, " ", None), "note"),
        (end(EscalationEnd::Guideline, "brands are tags", None), "rubric"),
        (end(EscalationEnd::Guideline, "brands are tags", Some("9.9")), "rubric"),
        (end(EscalationEnd::Wont, "rare", Some("1.0")), "rubric"),
    ] {
        let refused = resolve(outcome).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { field: named, .. } if named == field), "{refused}");
    }
    let done = end(EscalationEnd::Guideline, "brands are tags", Some(&one.rubric.version));
    assert_eq!(
        desk.programmes.resolve_escalation(&bob, open[0].id, done.clone()).await,
        Err(Error::Forbidden)
    );
    resolve(done.clone()).await.unwrap();
    assert_eq!(code(resolve(done).await), "already_resolved");
    assert!(desk.programmes.escalations(&desk.lead, true).await.unwrap().is_empty());
    let all = desk.programmes.escalations(&desk.lead, false).await.unwrap();
    assert_eq!(
        (all[0].outcome.as_deref(), all[0].resolved_by.as_deref()),
        (Some("guideline"), Some("lead@example.org"))
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn cited_lines_may_be_marked_unsupported_and_leads_see_by_how_many(pool: PgPool) {
    let desk = Desk::new(pool).await;
    let sample = desk.world.tags(1).await[0];
    desk.sql("update samples set body = jsonb_set(body, '{evidence}', '[2, 5]')").await;
    let ann = desk.person("ann").await;
    let one = desk.next(&ann).await.unwrap();
    for (lines, word) in [(vec![3], "unsupported[0]"), (vec![2, 2], "unsupported[1]")] {
        let refused = desk.submit(&ann, &one, Submission { unsupported: lines, ..blind("fail") }).await;
        assert!(refused.unwrap_err().to_string().starts_with(word));
    }
    desk.submit(&ann, &one, Submission { unsupported: vec![5], ..blind("fail") }).await.unwrap();
    let seen = desk.samples.get(&desk.lead, sample).await.unwrap().unsupported;
    assert_eq!(seen.iter().map(|l| (l.line, l.people)).collect::<Vec<_>>(), [(5, 1)]);
    let own = desk.samples.get(&ann, sample).await.unwrap();
    assert!(own.unsupported.is_empty(), "for leads only");
    desk.review.reveal(&ann, one.id).await.unwrap();
    desk.submit(&ann, &one, answers(Phase::Revised, "fail")).await.unwrap();
    assert!(
        desk.samples.get(&desk.lead, sample).await.unwrap().unsupported.is_empty(),
        "the last answer holds"
    );
    assert!(desk.world.try_sql("update unsupported_evidence set line = 1").await.is_err(), "append-only");
}

/// Three samples in a chain, of one user, served in its order.
async fn chain(desk: &Desk) -> Vec<SampleId> {
    let ids = desk.world.tags(3).await;
    desk.sql("update samples set serve_order = 7, half = 'train'").await;
    for pair in ids.windows(2) {
        desk.sql(&format!("update samples set parent_id = '{}' where id = '{}'", pair[0], pair[1])).await;
    }
    ids
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_failed_interest_flags_what_rests_on_it_but_not_before_ones_own_blind_answers(pool: PgPool) {
    let desk = Desk::new(pool).await;
    let ids = chain(&desk).await;
    let (ann, bob) = (desk.person("ann").await, desk.person("bob").await);
    let programme = Programme { overlap: 2, ..Programme::default() };
    desk.review.set_programme(&desk.lead, "tag", programme).await.unwrap();
    let first = desk.next(&ann).await.unwrap();
    assert_eq!(first.sample.id, ids[0]);
    desk.submit(&ann, &first, blind("fail")).await.unwrap();

    let flags = desk.samples.get(&desk.lead, ids[2]).await.unwrap().linked;
    assert_eq!(flags.len(), 4, "one a criterion");
    assert!(flags.iter().all(|f| (f.sample, f.passes, f.fails) == (ids[0], 0, 1)));
    assert!(desk.samples.get(&desk.lead, ids[0]).await.unwrap().linked.is_empty());

    // Bob takes the tag without having answered its interest: others' answers to it are not for him.
    desk.sql(&format!(
        "insert into assignments (id, sample_id, account_id, stream, slot, lease_expires_at)
         values (gen_random_uuid(), '{}', '{}', 'learning', 0, now() + interval '1 hour')",
        ids[1], bob.account
    ))
    .await;
    desk.sql(&format!("update samples set open_slots = 1 where id = '{}'", ids[1])).await;
    let his = desk.next(&bob).await.unwrap();
    assert_eq!(his.sample.id, ids[1]);
    assert!(desk.samples.get(&bob, ids[1]).await.unwrap().linked.is_empty());
    desk.submit(&bob, &his, blind("pass")).await.unwrap();
    assert!(desk.review.reveal(&bob, his.id).await.unwrap().linked.is_empty());

    let hers = desk.next(&ann).await.unwrap();
    assert_eq!(hers.sample.id, ids[1]);
    assert!(desk.samples.get(&ann, ids[1]).await.unwrap().linked.is_empty(), "not before her own answer");
    desk.submit(&ann, &hers, blind("pass")).await.unwrap();
    assert_eq!(desk.review.reveal(&ann, hers.id).await.unwrap().linked.len(), 4);

    for criterion in CRITERIA {
        desk.sql(&format!(
            "insert into adjudications (id, sample_id, criterion, account_id, outcome, label, reason)
             values (gen_random_uuid(), '{}', '{criterion}', '{}', 'pass', 'pass', 'slip')",
            ids[0], desk.lead.account
        ))
        .await;
    }
    assert!(desk.samples.get(&desk.lead, ids[2]).await.unwrap().linked.is_empty(), "a lead found it right");
}

#[sqlx::test(migrations = "../../migrations")]
async fn assisted_answers_come_only_in_the_learning_stream_and_are_never_blind_votes(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(60).await;
    let programme = Programme { assisted: true, assisted_rate: 0.5, ..Programme::default() };
    desk.review.set_programme(&desk.lead, "tag", programme).await.unwrap();
    let ann = desk.person("ann").await;
    let mut assisted = 0;
    while let Some(one) = desk.next(&ann).await {
        if one.assisted {
            assisted += 1;
            assert_eq!(code(desk.submit(&ann, &one, blind("pass")).await), "already_seen");
            assert_eq!(code(desk.submit(&ann, &one, answers(Phase::Revised, "pass")).await), "not_revealed");
            assert!(!desk.review.reveal(&ann, one.id).await.unwrap().verdicts.is_empty());
            assert_eq!(desk.next(&ann).await.unwrap().id, one.id, "a reload finds it again");
            desk.submit(&ann, &one, answers(Phase::Revised, "pass")).await.unwrap();
        } else {
            assert_eq!(code(desk.review.reveal(&ann, one.id).await), "not_submitted");
            desk.submit(&ann, &one, blind("fail")).await.unwrap();
            desk.review.reveal(&ann, one.id).await.unwrap();
            desk.submit(&ann, &one, answers(Phase::Revised, "pass")).await.unwrap();
        }
    }
    assert!(assisted > 5, "about half of the learning samples: {assisted}");
    assert_eq!(
        desk.number("select count(distinct sample_id) from labels where assisted and stream = 'learning' and phase = 'revised'").await,
        assisted
    );
    assert_eq!(
        desk.number("select count(*) from labels l join samples s on s.id = l.sample_id where assisted and half = 'audit'").await,
        0
    );
    assert_eq!(desk.number("select count(distinct sample_id) from blind_votes").await, 60 - assisted);
    let smuggle = "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, submission_id, assisted)
         select gen_random_uuid(), sample_id, task, criterion, rater, label, pass, phase, 'audit', pi, rubric_version, submission_id, true from labels limit 1";
    assert!(desk.world.try_sql(smuggle).await.is_err(), "the database refuses an assisted audit label");

    let found = desk.programmes.anchoring(&desk.lead).await.unwrap().remove(0);
    let blind_answers = u64::try_from((60 - assisted) * 4).unwrap();
    assert_eq!(
        (found.towards.est, found.towards.n),
        (Some(1.0), blind_answers),
        "every answer was revised to the judge's"
    );
    assert_eq!(found.away.est, None, "nobody agreed before");
    assert_eq!(
        (found.assisted.est, found.blind.est, found.difference.est),
        (Some(1.0), Some(0.0), Some(1.0))
    );
    assert_eq!(found.assisted.n, u64::try_from(assisted * 4).unwrap());
    assert!(found.blind.n < blind_answers, "audit samples are outside the comparison");
    assert_eq!(desk.programmes.anchoring(&ann).await, Err(Error::Forbidden));
}

#[sqlx::test(migrations = "../../migrations")]
async fn what_is_labelled_twice_is_never_assisted(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(30).await;
    let programme = Programme { overlap: 2, assisted: true, assisted_rate: 0.5, ..Programme::default() };
    desk.review.set_programme(&desk.lead, "tag", programme).await.unwrap();
    let ann = desk.person("ann").await;
    while let Some(one) = desk.next(&ann).await {
        assert!(!one.assisted);
        desk.submit(&ann, &one, blind("pass")).await.unwrap();
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn ones_own_record_stands_as_of_yesterday(pool: PgPool) {
    let desk = Desk::new(pool).await;
    let ids = desk.world.tags(3).await;
    let (ann, bob) = (desk.person("ann").await, desk.person("bob").await);
    while let Some(one) = desk.next(&ann).await {
        desk.submit(&ann, &one, blind("pass")).await.unwrap();
    }
    for id in ids {
        let answer =
            |c: &&str| GoldAnswer { criterion: (*c).into(), label: "pass".into(), reason: "r".into() };
        let request = GoldRequest { answers: CRITERIA.iter().map(answer).collect() };
        desk.programmes.set_gold(&desk.lead, id, request).await.unwrap();
    }
    let programme = Programme { gold_rate: 0.5, ..Programme::default() };
    desk.review.set_programme(&desk.lead, "tag", programme).await.unwrap();
    for _ in 0..60 {
        if let Some(one) = desk.next(&bob).await {
            desk.submit(&bob, &one, blind("pass")).await.unwrap();
            assert_eq!(desk.programmes.own_work(&bob).await.unwrap().gold.est, None);
        }
    }
    desk.sql("alter table labels disable trigger labels_append_only").await;
    desk.sql("update labels set at = at - interval '1 day' where stream = 'gold'").await;
    let own = desk.programmes.own_work(&bob).await.unwrap();
    assert_eq!((own.gold.est, own.gold.n), (Some(1.0), 12));
    assert!(own.gold.ci.is_some());
    assert_eq!(own.recent.len(), 3);
}
