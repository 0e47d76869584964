//! The people who label, as leads see them; and escalated samples among the cases.

use crate::world::World;
use concord_domain::api::{Adjudications, Audit, Review};
use concord_domain::{
    Actor, AnnotatorReport, Answer, Assignment, CaseFilter, Error, NewAdjudication, Outcome, Phase, Reason,
    Role, Submission,
};
use concord_service::adjudications::AdjudicationsService;
use concord_service::audit::AuditService;
use concord_service::review::ReviewService;
use sqlx::PgPool;

fn submission(of: &Assignment, phase: Phase, pass: bool, seconds: f64) -> Submission {
    let answers = of
        .rubric
        .criteria
        .iter()
        .map(|it| Answer { criterion: it.name.clone(), label: it.first_label(pass).unwrap().name.clone() })
        .collect();
    Submission { phase, answers, comment: None, seconds: Some(seconds), unsupported: Vec::new() }
}

/// Labels everything there is for this person: blind, then revised after the reveal.
async fn label(review: &ReviewService, who: &Actor, blind: bool, revised: bool, seconds: f64) -> usize {
    let mut n = 0;
    while let Some(assignment) = review.next(who, None, 1).await.unwrap().pop() {
        let key = format!("{n}");
        review
            .submit(who, assignment.id, &key, submission(&assignment, Phase::Blind, blind, seconds))
            .await
            .unwrap();
        review.reveal(who, assignment.id).await.unwrap();
        let again = submission(&assignment, Phase::Revised, revised, 1.0);
        review.submit(who, assignment.id, &format!("{n}r"), again).await.unwrap();
        n += 1;
    }
    n
}

async fn overlap(pool: &PgPool, n: i32) {
    sqlx::query("update programmes set overlap = $1, repeat_rate = 0, audit_share = 0.5")
        .bind(n)
        .execute(pool)
        .await
        .unwrap();
}

#[sqlx::test(migrations = "../../migrations")]
async fn people_have_skill_time_and_what_they_do_after_the_reveal(pool: PgPool) {
    let world = World::new(&pool).await;
    overlap(&pool, 3).await;
    world.tags(12).await;
    let review = ReviewService::new(pool.clone());
    let (ann, bob, cem) = (
        world.account("ann", Role::Annotator).await,
        world.account("bob", Role::Annotator).await,
        world.account("cem", Role::Annotator).await,
    );
    let lead = world.account("lead", Role::Lead).await;
    // The judge passes everything: bob and cem first say no, and cem gives in.
    assert_eq!(label(&review, &ann, true, true, 10.0).await, 12);
    assert_eq!(label(&review, &bob, false, false, 20.0).await, 12);
    assert_eq!(label(&review, &cem, false, true, 3.0).await, 12);
    let audit = AuditService::new(pool.clone());
    assert_eq!(audit.annotators(&ann).await, Err(Error::Forbidden));
    let people = audit.annotators(&lead).await.unwrap();
    assert_eq!(people.len(), 3, "{people:?}");
    let of = |name: &str| -> &AnnotatorReport {
        people.iter().find(|it| it.rater == format!("{name}@example.org")).unwrap()
    };
    assert_eq!((of("ann").samples, of("ann").labels), (12, 48));
    assert_eq!((of("cem").over_reliance.est, of("cem").over_reliance.n), (Some(1.0), 48));
    assert_eq!((of("bob").over_reliance.est, of("bob").over_reliance.n), (Some(0.0), 48));
    assert_eq!(of("ann").over_reliance.est, None, "ann never differed");
    assert_eq!((of("bob").seconds.est, of("bob").seconds.n), (Some(20.0), 12));
    assert_eq!((of("bob").hasty.est, of("bob").gold.est), (Some(0.0), None));
    assert!(of("bob").skill.est > of("ann").skill.est && of("bob").skill.n == 48, "{:?}", of("bob").skill);
    assert_eq!((of("bob").skill.method.as_str(), of("bob").skill_by.len()), ("dawid_skene", 4));
    assert!(of("bob").skill.ci.is_some());
}

#[sqlx::test(migrations = "../../migrations")]
async fn escalated_samples_come_first_answered_or_not_until_a_lead_decides(pool: PgPool) {
    let world = World::new(&pool).await;
    world.tags(4).await;
    let review = ReviewService::new(pool.clone());
    let (ann, lead) = (world.account("ann", Role::Annotator).await, world.account("lead", Role::Lead).await);
    let assignment = review.next(&ann, None, 1).await.unwrap().remove(0);
    review.escalate(&ann, assignment.id, "is a gift an interest?").await.unwrap();
    let service = AdjudicationsService::new(pool.clone());
    let page = service.cases(&lead, CaseFilter::default(), 50).await.unwrap();
    assert_eq!(page.rows.len(), 4, "a case a criterion: {page:?}");
    assert!(page.rows.iter().all(|case| case.sample == assignment.sample.id && case.state == "escalated"));
    let tied = CaseFilter { state: Some("tied".into()), ..CaseFilter::default() };
    assert_eq!(
        service.cases(&lead, tied, 50).await.unwrap().total,
        0,
        "nobody has answered, so nobody disagrees"
    );
    let new = NewAdjudication {
        sample: assignment.sample.id,
        criterion: page.rows[0].criterion.clone(),
        outcome: Outcome::Ambiguous,
        label: None,
        reason: Reason::GuidelineGap,
        note: None,
    };
    service.adjudicate(&lead, vec![new]).await.unwrap();
    assert_eq!(service.cases(&lead, CaseFilter::default(), 50).await.unwrap().total, 3);
}
