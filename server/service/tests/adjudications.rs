//! Leads decide where people disagree: in which order cases come, who may decide, and what it changes.

use crate::world::World;
use concord_domain::api::{Adjudications, Audit, Review};
use concord_domain::{
    Actor, Answer, AuditFilter, CaseFilter, Error, NewAdjudication, Outcome, Phase, Reason, Role, SampleId,
    Submission,
};
use concord_service::adjudications::AdjudicationsService;
use concord_service::audit::AuditService;
use concord_service::intake::{Format, ImportOptions, Kind, import};
use concord_service::review::ReviewService;
use sqlx::PgPool;
use std::fmt::Write;

async fn load(pool: &PgPool, kind: Kind, text: String) {
    let mut rejects = Vec::new();
    let options = ImportOptions { task: Some("t".into()), ..ImportOptions::new(kind, Format::Jsonl) };
    import(pool, std::io::Cursor::new(text), &options, &mut rejects, |_| {}).await.expect("an import");
    assert!(rejects.is_empty(), "{kind:?}: {:?}", rejects[0].reason);
}

/// Votes by sample, a letter a rater, `+` passes; and the judge's probability of pass.
async fn cases(pool: &PgPool, all: &[(&str, &str, f64)]) {
    let (mut labels, mut verdicts) = (String::new(), String::new());
    for (sample, votes, p) in all {
        for (rater, vote) in votes.chars().enumerate() {
            let pass = vote == '+';
            writeln!(labels, r#"{{"sample":"{sample}","criterion":"ok","rater":"r{rater}","label":{pass}}}"#)
                .unwrap();
        }
        writeln!(verdicts, r#"{{"sample":"{sample}","criterion":"ok","judge":"j","p_pass":{p}}}"#).unwrap();
    }
    load(pool, Kind::Labels, labels).await;
    load(pool, Kind::Verdicts, verdicts).await;
}

fn decision(sample: SampleId, outcome: Outcome) -> NewAdjudication {
    NewAdjudication { sample, criterion: "ok".into(), outcome, label: None, reason: Reason::Slip, note: None }
}

async fn keys(service: &AdjudicationsService, lead: &Actor, filter: CaseFilter) -> Vec<(String, String)> {
    let page = service.cases(lead, filter, 50).await.unwrap();
    assert_eq!(page.total as usize, page.rows.len());
    page.rows.into_iter().map(|case| (case.key, case.state)).collect()
}

#[sqlx::test(migrations = "../../migrations")]
async fn cases_come_by_need_ties_first_then_disagreement_then_the_surest_judge(pool: PgPool) {
    let world = World::new(&pool).await;
    let lead = world.account("lead", Role::Lead).await;
    cases(
        &pool,
        &[
            ("agreed", "++", 0.9),
            ("unsure", "++", 0.4),
            ("sure", "--", 0.97),
            ("mixed", "++-", 0.9),
            ("tied", "+-", 0.6),
            ("tied surely", "-+", 0.01),
        ],
    )
    .await;
    let service = AdjudicationsService::new(pool.clone());
    let found = keys(&service, &lead, CaseFilter::default()).await;
    let found: Vec<(&str, &str)> = found.iter().map(|(key, state)| (key.as_str(), state.as_str())).collect();
    assert_eq!(
        found,
        [
            ("tied surely", "tied"),
            ("tied", "tied"),
            ("mixed", "disagreeing"),
            ("sure", "judge_pass_people_fail"),
            ("unsure", "judge_fail_people_pass"),
        ]
    );
    for (state, n) in [
        ("tied", 2),
        ("disagreeing", 3),
        ("judge_pass_people_fail", 1),
        ("judge_fail_people_pass", 1),
        ("adjudicated", 0),
        ("any", 6),
    ] {
        let filter = CaseFilter { state: Some(state.into()), ..CaseFilter::default() };
        assert_eq!(keys(&service, &lead, filter).await.len(), n, "{state}");
    }
    let of = |annotator: &str| CaseFilter { annotator: Some(annotator.into()), ..CaseFilter::default() };
    assert_eq!(keys(&service, &lead, of("r2")).await.len(), 1);
    let seen: i64 = sqlx::query_scalar("select count(*) from verdict_views where account_id = $1")
        .bind(lead.account.0)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(seen, 6, "who has looked is never given them blind");
}

#[sqlx::test(migrations = "../../migrations")]
async fn pages_follow_each_other_without_a_gap_in_every_order(pool: PgPool) {
    let world = World::new(&pool).await;
    let lead = world.account("lead", Role::Lead).await;
    let names: Vec<String> = (0..23).map(|n| format!("s{n}")).collect();
    let all: Vec<(&str, &str, f64)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (name.as_str(), ["+-", "++-", "++", "--"][n % 4], [0.1, 0.5, 0.5, 0.93][n % 3]))
        .collect();
    cases(&pool, &all).await;
    let service = AdjudicationsService::new(pool.clone());
    for sort in ["need", "confidence", "newest"] {
        let filter = |after| CaseFilter {
            state: Some("any".into()),
            sort: Some(sort.into()),
            after,
            ..CaseFilter::default()
        };
        let whole = service.cases(&lead, filter(None), 50).await.unwrap();
        assert_eq!((whole.rows.len(), whole.next), (23, None));
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = service.cases(&lead, filter(after), 4).await.unwrap();
            assert_eq!(page.total, 23, "{sort}");
            paged.extend(page.rows);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(paged, whole.rows, "{sort}");
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_decision_changes_the_report_card_and_the_newest_holds(pool: PgPool) {
    let world = World::new(&pool).await;
    let lead = world.account("lead", Role::Lead).await;
    cases(&pool, &[("tied", "+-", 0.9), ("wrong", "--", 0.9), ("right", "++", 0.9)]).await;
    let (service, audit) = (AdjudicationsService::new(pool.clone()), AuditService::new(pool.clone()));
    let card = async || {
        let filter = AuditFilter { criterion: Some("ok".into()), ..AuditFilter::default() };
        let card = audit.report(&lead, filter).await.unwrap().cards.remove(0);
        (card.cells.tp, card.cells.fp, card.reference.n_tied)
    };
    assert_eq!(card().await, (1, 1, 1));
    let page = service.cases(&lead, CaseFilter::default(), 50).await.unwrap();
    let sample = |key: &str| page.rows.iter().find(|case| case.key == key).unwrap().sample;
    let both = vec![decision(sample("tied"), Outcome::Pass), decision(sample("wrong"), Outcome::Pass)];
    let stored = service.adjudicate(&lead, both).await.unwrap();
    assert_eq!(stored.iter().map(|it| it.label.as_deref()).collect::<Vec<_>>(), [Some("pass"), Some("pass")]);
    assert_eq!(card().await, (3, 0, 0), "decided cases count instead of the majority");
    service.adjudicate(&lead, vec![decision(sample("tied"), Outcome::Ambiguous)]).await.unwrap();
    assert_eq!(card().await, (2, 0, 1), "ambiguous is kept as such and left out");
    let detail = service.case(&lead, sample("tied"), "ok").await.unwrap();
    assert_eq!(
        detail.adjudications.iter().map(|it| it.outcome).collect::<Vec<_>>(),
        [Outcome::Ambiguous, Outcome::Pass]
    );
    assert_eq!((detail.votes.len(), detail.verdicts.len()), (2, 1));
    let events: i64 = sqlx::query_scalar("select count(*) from audit_events where action = 'adjudicate'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(events, 3);
    assert!(world.try_sql("update adjudications set outcome = 'fail'").await.is_err(), "append-only");
}

#[sqlx::test(migrations = "../../migrations")]
async fn many_are_stored_together_or_not_at_all(pool: PgPool) {
    let world = World::new(&pool).await;
    let (lead, annotator) =
        (world.account("lead", Role::Lead).await, world.account("ann", Role::Annotator).await);
    cases(&pool, &[("a", "+-", 0.9), ("b", "+-", 0.9)]).await;
    let service = AdjudicationsService::new(pool.clone());
    let page = service.cases(&lead, CaseFilter::default(), 50).await.unwrap();
    let (a, b) = (page.rows[0].sample, page.rows[1].sample);
    let with = |change: &dyn Fn(&mut NewAdjudication)| {
        let mut second = decision(b, Outcome::Fail);
        change(&mut second);
        vec![decision(a, Outcome::Pass), second]
    };
    for (new, field) in [
        (with(&|it| it.criterion = "charm".into()), "adjudications[1].criterion"),
        (with(&|it| it.label = Some("pass".into())), "adjudications[1].label"),
        (with(&|it| it.label = Some("meh".into())), "adjudications[1].label"),
        (with(&|it| it.note = Some("x".repeat(4001))), "adjudications[1].note"),
        (with(&|it| it.sample = a), "adjudications[1].criterion"),
        (Vec::new(), "adjudications"),
    ] {
        let refused = service.adjudicate(&lead, new).await;
        assert!(
            matches!(&refused, Err(Error::Invalid { field: at, .. }) if at == field),
            "{field}: {refused:?}"
        );
    }
    assert_eq!(service.adjudicate(&annotator, with(&|_| {})).await, Err(Error::Forbidden));
    assert_eq!(service.cases(&annotator, CaseFilter::default(), 50).await, Err(Error::Forbidden));
    assert_eq!(service.case(&annotator, a, "ok").await, Err(Error::Forbidden));
    assert_eq!(world.count("adjudications").await, 0);
    assert_eq!(service.adjudicate(&lead, with(&|_| {})).await.unwrap().len(), 2);
}

/// Whoever labelled a sample blind, in Concord or elsewhere under their address, may not decide on it.
#[sqlx::test(migrations = "../../migrations")]
async fn who_labelled_a_sample_may_not_decide_on_it(pool: PgPool) {
    let world = World::new(&pool).await;
    let (rater, other) = (world.account("rater", Role::Lead).await, world.account("other", Role::Lead).await);
    world.tags(3).await;
    let review = ReviewService::new(pool.clone());
    let assignment = review.next(&rater, None, 1).await.unwrap().remove(0);
    let answers = assignment
        .rubric
        .criteria
        .iter()
        .map(|it| Answer { criterion: it.name.clone(), label: it.first_label(false).unwrap().name.clone() })
        .collect();
    let submission =
        Submission { phase: Phase::Blind, answers, comment: None, seconds: None, unsupported: Vec::new() };
    review.submit(&rater, assignment.id, "k", submission).await.unwrap();
    let service = AdjudicationsService::new(pool.clone());
    let filter = CaseFilter { state: Some("any".into()), ..CaseFilter::default() };
    let own = service.cases(&rater, filter.clone(), 50).await.unwrap();
    assert!(own.rows.len() == 4 && own.rows.iter().all(|case| case.own), "in either half: {own:?}");
    let sample = assignment.sample.id;
    let new = NewAdjudication { criterion: own.rows[0].criterion.clone(), ..decision(sample, Outcome::Fail) };
    let refused = service.adjudicate(&rater, vec![new.clone()]).await;
    assert!(matches!(&refused, Err(Error::Conflict { code, .. }) if code == "own_label"), "{refused:?}");
    assert!(!service.cases(&other, filter, 50).await.unwrap().rows[0].own);
    service.adjudicate(&other, vec![new]).await.unwrap();

    load(
        &pool,
        Kind::Labels,
        r#"{"sample":"z","criterion":"ok","rater":"Other@example.org","label":"yes"}"#.into(),
    )
    .await;
    let filter = CaseFilter { state: Some("any".into()), task: Some("t".into()), ..CaseFilter::default() };
    let page = service.cases(&other, filter, 50).await.unwrap();
    assert!(page.rows[0].own);
    let refused = service.adjudicate(&other, vec![decision(page.rows[0].sample, Outcome::Fail)]).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
}
