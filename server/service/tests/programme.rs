//! The review programme against a real database: streams, gold questions, repeats, a third person.

use crate::world::World;
use concord_domain::api::{Audit, Programmes, Review};
use concord_domain::{
    Actor, Answer, Assignment, AuditFilter, Card, Error, GoldAnswer, GoldRequest, Phase, Programme, Role,
    SampleId, Submission, Third,
};
use concord_service::audit::AuditService;
use concord_service::programmes::ProgrammesService;
use concord_service::review::ReviewService;
use concord_store::{learning, samples};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::PgPool;

const CRITERIA: [&str; 4] = ["relevance", "consistency", "specificity", "validity"];

fn answers(label: &str) -> Submission {
    let answers = CRITERIA.iter().map(|c| Answer { criterion: (*c).into(), label: label.into() }).collect();
    Submission { phase: Phase::Blind, answers, comment: None, seconds: Some(3.5), unsupported: Vec::new() }
}

fn gold(label: &str) -> GoldRequest {
    let answer = |c: &&str| GoldAnswer {
        criterion: (*c).into(),
        label: label.into(),
        reason: "the guideline says so".into(),
    };
    GoldRequest { answers: CRITERIA.iter().map(answer).collect() }
}

/// A desk: the world, the use cases and a lead who runs the programme.
struct Desk {
    world: World,
    pool: PgPool,
    review: ReviewService,
    programmes: ProgrammesService,
    lead: Actor,
}

impl Desk {
    async fn new(pool: PgPool) -> Self {
        let world = World::new(&pool).await;
        let lead = world.account("lead", Role::Lead).await;
        let (review, programmes) = (ReviewService::new(pool.clone()), ProgrammesService::new(pool.clone()));
        Self { world, pool, review, programmes, lead }
    }

    async fn run_by(&self, programme: Programme) {
        self.review.set_programme(&self.lead, "tag", programme).await.unwrap();
    }

    async fn person(&self, name: &str) -> Actor {
        self.world.account(name, Role::Annotator).await
    }

    async fn next(&self, of: &Actor) -> Option<Assignment> {
        self.review.next(of, Some("tag"), 1).await.unwrap().pop()
    }

    async fn submit(&self, of: &Actor, one: &Assignment, label: &str) {
        self.review.submit(of, one.id, &one.id.to_string(), answers(label)).await.unwrap();
    }

    /// Labels until nothing comes any more; gives the samples in order.
    async fn label_all(&self, of: &Actor, label: &str) -> Vec<SampleId> {
        let mut done = Vec::new();
        while let Some(one) = self.next(of).await {
            self.submit(of, &one, label).await;
            done.push(one.sample.id);
        }
        done
    }

    /// Labels whatever comes in so many draws of an empty queue, where only chance brings anything.
    async fn label_by_chance(&self, of: &Actor, label: &str, draws: usize) -> Vec<SampleId> {
        let mut done = Vec::new();
        for _ in 0..draws {
            if let Some(one) = self.next(of).await {
                self.submit(of, &one, label).await;
                done.push(one.sample.id);
            }
        }
        done
    }

    async fn half(&self, half: &str) -> Vec<SampleId> {
        let ids: Vec<uuid::Uuid> =
            sqlx::query_scalar("select id from samples where half = $1 order by serve_order, id")
                .bind(half)
                .fetch_all(&self.pool)
                .await
                .unwrap();
        ids.into_iter().map(SampleId).collect()
    }

    async fn number(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap()
    }

    /// Makes the judge of this sample as sure as that, and ranks it anew.
    async fn sure(&self, sample: SampleId, p: f64) {
        sqlx::query("update verdicts set p_pass = $2 where sample_id = $1")
            .bind(sample.0)
            .bind(p)
            .execute(&self.pool)
            .await
            .unwrap();
        let mut conn = self.pool.acquire().await.unwrap();
        learning::rank(&mut conn, &[sample.0]).await.unwrap();
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn the_learning_stream_serves_what_is_uncertain_first_and_the_audits_order_knows_nothing_of_it(
    pool: PgPool,
) {
    let desk = Desk::new(pool).await;
    desk.world.tags(40).await;
    let (audit, train) = (desk.half("audit").await, desk.half("train").await);
    assert!(audit.len() > 4 && train.len() > 4);
    for (n, sample) in audit.iter().chain(&train).enumerate() {
        desk.sure(*sample, 0.9 + 0.001 * n as f64).await;
    }
    let (unsure, second) = (train[train.len() - 1], train[2]);
    desk.sure(unsure, 0.5).await;
    desk.sure(second, 0.6).await;
    desk.sure(audit[audit.len() - 1], 0.5).await;
    desk.run_by(Programme { audit_share: 0.0, ..Programme::default() }).await;
    let ann = desk.person("ann").await;
    let served = desk.label_all(&ann, "pass").await;
    assert_eq!(served[..2], [unsure, second], "the judge's doubt decides in the learning stream");
    assert_eq!(served[train.len()..], audit, "and then the audit comes, in its own order");
    let streams = desk
        .number(
            "select count(*) from labels l join samples s on s.id = l.sample_id
                 where l.stream = case s.half when 'audit' then 'audit' else 'learning' end and l.pi = 1",
        )
        .await;
    assert_eq!(streams, 160);
}

#[sqlx::test(migrations = "../../migrations")]
async fn judges_who_differ_make_a_sample_worth_learning_from_and_its_user_comes_as_a_whole(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(12).await;
    let train = desk.half("train").await;
    let (disputed, sibling) = (train[train.len() - 1], train[0]);
    let mut conn = desk.pool.acquire().await.unwrap();
    sqlx::query("insert into judges (name, model, model_hash, model_family, backend, prompt_version) values ('other', '', '', '', '', '')")
        .execute(&mut *conn).await.unwrap();
    sqlx::query(
        "insert into verdicts (id, sample_id, criterion, judge, status, label, pass, p_pass)
         select gen_random_uuid(), sample_id, criterion, 'other', 'ok', 'fail', false, 0.27 from verdicts where sample_id = $1",
    )
    .bind(disputed.0)
    .execute(&mut *conn)
    .await
    .unwrap();
    samples::open_for_review(&mut conn, disputed).await.unwrap();
    sqlx::query(
        "update samples set serve_order = (select serve_order from samples where id = $2) where id = $1",
    )
    .bind(sibling.0)
    .bind(disputed.0)
    .execute(&mut *conn)
    .await
    .unwrap();
    drop(conn);
    desk.run_by(Programme { audit_share: 0.0, ..Programme::default() }).await;
    let ann = desk.person("ann").await;
    let served = desk.label_all(&ann, "pass").await;
    let mut first = served[..2].to_vec();
    first.sort();
    let mut user = vec![disputed, sibling];
    user.sort();
    assert_eq!(first, user, "both samples of the user, in the order of the chain");
    assert_eq!(served[0], user[0]);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_gold_question_comes_once_to_a_person_and_counts_nowhere_but_in_their_record(pool: PgPool) {
    let desk = Desk::new(pool.clone()).await;
    desk.world.tags(10).await;
    let (ann, bad, good) = (desk.person("ann").await, desk.person("bad").await, desk.person("good").await);
    let all = desk.label_all(&ann, "pass").await;
    for sample in &all[..6] {
        desk.programmes.set_gold(&desk.lead, *sample, gold("pass")).await.unwrap();
    }
    let votes = desk.number("select count(*) from blind_votes").await;
    let audit = AuditService::new(pool);
    let cards = cards(&audit, &desk.lead).await;
    desk.run_by(Programme { gold_rate: 0.5, ..Programme::default() }).await;
    for (person, label) in [(&bad, "fail"), (&good, "pass")] {
        let mut asked = desk.label_by_chance(person, label, 80).await;
        asked.sort();
        let mut wanted = all[..6].to_vec();
        wanted.sort();
        assert_eq!(asked, wanted, "each question once, and nothing else");
    }
    assert!(desk.label_by_chance(&ann, "pass", 40).await.is_empty(), "whoever labelled it is not asked");
    assert_eq!(desk.number("select count(*) from labels where stream = 'gold'").await, 2 * 6 * 4);
    assert_eq!(desk.number("select count(*) from blind_votes").await, votes);
    assert_eq!(desk.number("select count(*) from final_votes").await, votes);
    assert_eq!(self::cards(&audit, &desk.lead).await, cards);
    let records = desk.programmes.records(&desk.lead).await.unwrap();
    let of = |name: &str| records.iter().find(|r| r.email.starts_with(name)).unwrap();
    assert_eq!((of("bad").gold.est, of("bad").gold.n, of("bad").flagged), (Some(0.0), 24, true));
    assert_eq!((of("good").gold.est, of("good").flagged), (Some(1.0), false));
    assert_eq!(of("ann").gold.est, None);
    let questions = desk.programmes.gold(&desk.lead, Some("tag")).await.unwrap();
    assert!(questions.iter().all(|q| (q.n, q.correct, q.active, q.waiting) == (8, 4, true, false)));
}

/// Report cards without drift, which waits for other transactions of this cluster before it reads on.
async fn cards(audit: &AuditService, lead: &Actor) -> Vec<Card> {
    let report = audit.report(lead, AuditFilter::default()).await.unwrap();
    assert!(!report.cards.is_empty());
    report.cards.into_iter().map(|card| Card { drift: Vec::new(), ..card }).collect()
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_audit_sample_is_no_gold_question_while_its_own_answers_are_missing(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(20).await;
    let sample = desk.half("audit").await[0];
    let question = desk.programmes.set_gold(&desk.lead, sample, gold("pass")).await.unwrap();
    assert!(question.waiting);
    desk.run_by(Programme { gold_rate: 0.5, ..Programme::default() }).await;
    let ann = desk.person("ann").await;
    desk.label_all(&ann, "pass").await;
    assert_eq!(desk.number("select count(*) from assignments where stream = 'gold'").await, 0);
    assert!(!desk.programmes.gold(&desk.lead, None).await.unwrap()[0].waiting);
    desk.programmes.retire_gold(&desk.lead, sample).await.unwrap();
    let bob = desk.person("bob").await;
    assert!(desk.label_by_chance(&bob, "pass", 30).await.is_empty(), "retired");
}

#[sqlx::test(migrations = "../../migrations")]
async fn right_answers_are_complete_come_from_adjudications_too_and_are_for_leads(pool: PgPool) {
    let desk = Desk::new(pool).await;
    let sample = desk.world.tags(1).await[0];
    let set = |request| desk.programmes.set_gold(&desk.lead, sample, request);
    let mut missing = gold("pass");
    missing.answers.pop();
    assert!(set(missing).await.unwrap_err().to_string().contains("validity is missing"));
    let mut silent = gold("pass");
    silent.answers[1].reason = "  ".into();
    assert!(set(silent).await.unwrap_err().to_string().starts_with("answers[1].reason"));
    assert!(set(GoldRequest::default()).await.is_err(), "nothing was adjudicated");
    for criterion in CRITERIA {
        sqlx::query(
            "insert into adjudications (id, sample_id, criterion, account_id, outcome, label, reason, note)
             values (gen_random_uuid(), $1, $2, $3, 'fail', 'fail', 'slip', 'they misread it')",
        )
        .bind(sample.0)
        .bind(criterion)
        .bind(desk.lead.account.0)
        .execute(&desk.pool)
        .await
        .unwrap();
    }
    let question = set(GoldRequest::default()).await.unwrap();
    assert!(question.answers.iter().all(|a| a.label == "fail" && a.reason == "they misread it"));
    let ann = desk.person("ann").await;
    assert_eq!(desk.programmes.set_gold(&ann, sample, gold("pass")).await, Err(Error::Forbidden));
    assert_eq!(desk.programmes.gold(&ann, None).await, Err(Error::Forbidden));
    assert_eq!(desk.programmes.records(&ann).await, Err(Error::Forbidden));
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_own_sample_comes_again_after_seven_days_once_and_is_no_second_vote(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(4).await;
    desk.run_by(Programme { repeat_rate: 0.2, ..Programme::default() }).await;
    let ann = desk.person("ann").await;
    let mut all = desk.label_all(&ann, "pass").await;
    assert!(desk.label_by_chance(&ann, "pass", 40).await.is_empty(), "not on the same day");
    for (days, expected) in [(6, 0), (8, 4)] {
        sqlx::query("update assignments set submitted_at = now() - make_interval(days => $1)")
            .bind(days)
            .execute(&desk.pool)
            .await
            .unwrap();
        let mut again = desk.label_by_chance(&ann, "fail", 120).await;
        assert_eq!(again.len(), expected, "after {days} days");
        if expected > 0 {
            again.sort();
            all.sort();
            assert_eq!(again, all);
        }
    }
    sqlx::query("update assignments set submitted_at = now() - interval '30 days'")
        .execute(&desk.pool)
        .await
        .unwrap();
    assert!(desk.label_by_chance(&ann, "pass", 40).await.is_empty(), "an answer is repeated once");
    assert_eq!(desk.number("select count(*) from labels where stream = 'repeat'").await, 16);
    assert_eq!(desk.number("select count(*) from blind_votes where pass").await, 16);
    assert_eq!(desk.number("select count(*) from blind_votes").await, 16);
    assert_eq!(desk.number("select sum(open_slots)::bigint from samples").await, 0);
    let record = desk.programmes.records(&desk.lead).await.unwrap().pop().unwrap();
    assert_eq!((record.consistency.est, record.consistency.n), (Some(0.0), 16));
}

#[sqlx::test(migrations = "../../migrations")]
async fn somebody_else_is_asked_where_two_disagree_and_only_once(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(2).await;
    desk.run_by(Programme { overlap: 2, third: Third::Any, ..Programme::default() }).await;
    let [ann, bob, cid, dan] = [
        desk.person("ann").await,
        desk.person("bob").await,
        desk.person("cid").await,
        desk.person("dan").await,
    ];
    let samples = desk.label_all(&ann, "pass").await;
    let one = desk.next(&bob).await.unwrap();
    desk.submit(&bob, &one, "fail").await;
    let two = desk.next(&bob).await.unwrap();
    desk.submit(&bob, &two, "pass").await;
    assert!(desk.next(&ann).await.is_none() && desk.next(&bob).await.is_none());
    // What a third person was asked for stays when the programme is set again.
    desk.run_by(Programme { overlap: 2, third: Third::Any, lease_seconds: 60, ..Programme::default() }).await;
    let third = desk.next(&cid).await.unwrap();
    assert_eq!(third.sample.id, one.sample.id);
    assert!(desk.next(&dan).await.is_none(), "one more person, not two");
    desk.submit(&cid, &third, "fail").await;
    assert!(desk.next(&dan).await.is_none());
    assert_eq!(samples.len(), 2);
    assert_eq!(desk.number("select count(*) from labels").await, 5 * 4);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_tie_asks_for_one_more_where_the_programme_wants_ties_only(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(1).await;
    let people =
        [desk.person("a").await, desk.person("b").await, desk.person("c").await, desk.person("d").await];
    desk.run_by(Programme { overlap: 3, third: Third::Tie, ..Programme::default() }).await;
    for (person, label) in people.iter().zip(["pass", "pass", "fail"]) {
        let one = desk.next(person).await.unwrap();
        desk.submit(person, &one, label).await;
    }
    assert!(desk.next(&people[3]).await.is_none(), "two against one is a majority");
    assert_eq!(desk.number("select overlap::bigint from samples").await, 3);
}

#[sqlx::test(migrations = "../../migrations")]
async fn settings_out_of_bounds_are_refused_by_name(pool: PgPool) {
    let desk = Desk::new(pool).await;
    let ok = Programme::default;
    let bad = [
        ("audit_share", Programme { audit_share: 1.1, ..ok() }),
        ("repeat_rate", Programme { repeat_rate: f64::NAN, ..ok() }),
        ("repeat_after_days", Programme { repeat_after_days: 6, ..ok() }),
        ("assisted_rate", Programme { assisted_rate: 0.0, ..ok() }),
        ("gold_rate", Programme { gold_rate: 0.6, ..ok() }),
    ];
    for (field, programme) in bad {
        let refused = desk.review.set_programme(&desk.lead, "tag", programme).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { field: named, .. } if named == field), "{refused}");
    }
    let wanted = Programme { audit_share: 0.6, third: Third::Tie, assisted: true, ..ok() };
    desk.run_by(wanted.clone()).await;
    assert_eq!(desk.review.programme(&desk.lead, "tag").await.unwrap(), wanted);
}

#[sqlx::test(migrations = "../../migrations")]
async fn two_tabs_of_one_person_never_get_the_same_sample(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(12).await;
    desk.run_by(Programme { overlap: 3, ..Programme::default() }).await;
    let ann = desk.person("ann").await;
    let mut tabs = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (review, ann) = (desk.review.clone(), ann.clone());
        tabs.spawn(async move { review.next(&ann, Some("tag"), 2).await.unwrap() });
    }
    while let Some(tab) = tabs.join_next().await {
        assert_eq!(tab.unwrap().len(), 2);
    }
    assert_eq!(desk.world.count("assignments").await, 2, "the later ones got what the first had leased");
    assert_eq!(desk.number("select sum(overlap - open_slots)::bigint from samples").await, 2);
}

/// Eight people do whatever comes to mind: lease, answer, skip, come late, with leases lapsing under them.
#[sqlx::test(migrations = "../../migrations")]
async fn whatever_people_do_at_once_no_sample_goes_beyond_its_extended_overlap(pool: PgPool) {
    let desk = Desk::new(pool).await;
    desk.world.tags(14).await;
    let settings = Programme { overlap: 2, third: Third::Any, gold_rate: 0.2, ..Programme::default() };
    desk.run_by(settings).await;
    for sample in &desk.half("train").await[..2] {
        desk.programmes.set_gold(&desk.lead, *sample, gold("pass")).await.unwrap();
    }
    let mut people = tokio::task::JoinSet::new();
    for n in 0..8_u64 {
        let (review, person) = (desk.review.clone(), desk.person(&format!("p{n}")).await);
        let pool = desk.pool.clone();
        people.spawn(async move {
            let mut rng = ChaCha8Rng::seed_from_u64(n);
            let mut known = Vec::new();
            for step in 0..45 {
                match rng.random_range(0..10) {
                    0..4 => known.extend(review.next(&person, None, rng.random_range(1..=3)).await.unwrap()),
                    4..8 if !known.is_empty() => {
                        let one: &Assignment = &known[rng.random_range(0..known.len())];
                        let label = if rng.random_bool(0.5) { "pass" } else { "fail" };
                        match review
                            .submit(&person, one.id, &format!("{}-{step}", one.id), answers(label))
                            .await
                        {
                            Ok(_) | Err(Error::Conflict { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                    8 if !known.is_empty() => {
                        let one: &Assignment = &known[rng.random_range(0..known.len())];
                        match review.skip(&person, one.id, "unsure").await {
                            Ok(()) | Err(Error::Conflict { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                    _ => {
                        sqlx::query(
                            "update assignments set lease_expires_at = now() - interval '1 second'
                                     where state = 'leased' and account_id = $1",
                        )
                        .bind(person.account.0)
                        .execute(&pool)
                        .await
                        .unwrap();
                    }
                }
            }
        });
    }
    while let Some(done) = people.join_next().await {
        done.unwrap();
    }
    let broken = desk
        .number(
            "select count(*) from samples s
             cross join lateral (select count(*) n from assignments a where a.sample_id = s.id and a.slot is not null) held
             cross join lateral (select count(distinct rater) n from blind_votes v where v.sample_id = s.id) said
             where s.overlap > 2 + s.extended::int or held.n > s.overlap or said.n > s.overlap
                or s.open_slots <> s.overlap - held.n",
        )
        .await;
    assert_eq!(broken, 0);
    let doubled = desk
        .number(
            "select count(*) from (select 1 from labels group by sample_id, criterion, rater, phase having count(*) > 1) d",
        )
        .await;
    assert_eq!(doubled, 0, "nobody answers a sample twice");
    assert!(desk.world.count("labels").await > 100);
}
