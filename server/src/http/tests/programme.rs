//! The pages on which leads set how people review, and which questions have known answers.

use super::cases::{form, read};
use super::*;
use concord_service::intake::{Format, ImportOptions, Kind, import};

const SETTINGS: &str = "task=t&overlap=2&lease_seconds=900&gold_rate=.1&audit_share=.4&repeat_rate=.05&repeat_after_days=9&third=tie&assisted=on&assisted_rate=.2";

async fn imported(pool: &PgPool) {
    let samples = r#"{"sample":"a","task":"t","text":"A <b>lamp</b> for the desk"}"#;
    let labels = r#"{"sample":"a","task":"t","criterion":"ok","rater":"ann","label":"yes"}"#;
    for (kind, text) in [(Kind::Samples, samples), (Kind::Labels, labels)] {
        let mut rejects = Vec::new();
        let options = ImportOptions::new(kind, Format::Jsonl);
        import(pool, std::io::Cursor::new(text), &options, &mut rejects, |_| {}).await.expect("an import");
        assert!(rejects.is_empty(), "{kind:?} {rejects:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_sets_how_a_task_is_reviewed_on_a_page_and_a_refusal_keeps_what_was_entered(pool: PgPool) {
    let app = App::new(pool.clone());
    imported(&pool).await;
    let (lead, annotator) = (app.token(Role::Lead).await, app.token(Role::Annotator).await);
    assert_eq!(app.page("/audit/programme?task=t", &annotator).await.0, 403);
    assert_eq!(app.send(form("/audit/programme", &annotator), SETTINGS).await.status, 403);
    let done = app.send(form("/audit/programme", &lead), SETTINGS).await;
    assert_eq!(
        (done.status, done.headers[LOCATION].to_str().expect("text")),
        (StatusCode::SEE_OTHER, "/audit/programme?task=t&stored=1")
    );
    let (_, page) = app.page("/audit/programme?task=t&stored=1", &lead).await;
    assert!(page.contains("Stored.") && page.contains(r#"value="900""#), "{page}");
    let stored = app.send(read("/api/v1/tasks/t/programme", &lead), "").await.json();
    assert_eq!(
        (&stored["overlap"], &stored["third"], &stored["assisted_rate"]),
        (&json!(2), &json!("tie"), &json!(0.2))
    );
    let refused =
        app.send(form("/audit/programme", &lead), SETTINGS.replace("gold_rate=.1", "gold_rate=.9")).await;
    let page = String::from_utf8_lossy(&refused.body).into_owned();
    assert_eq!(refused.status, 422);
    assert!(page.contains("gold_rate") && page.contains(r#"value="0.9""#), "{page}");
    let refused =
        app.send(form("/audit/programme", &lead), SETTINGS.replace("overlap=2", "overlap=two")).await;
    assert_eq!(refused.status, 422);
    assert!(String::from_utf8_lossy(&refused.body).contains("overlap"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_makes_a_sample_a_gold_question_on_a_page_and_retires_it(pool: PgPool) {
    let app = App::new(pool.clone());
    imported(&pool).await;
    let (lead, annotator) = (app.token(Role::Lead).await, app.token(Role::Annotator).await);
    let rows = app.send(read("/api/v1/samples", &lead), "").await.json();
    let sample = rows["rows"][0]["id"].as_str().expect("a sample").to_owned();
    let address = format!("/audit/gold/{sample}");
    assert_eq!(app.page(&address, &annotator).await.0, 403);
    let (status, page) = app.page(&address, &lead).await;
    assert!(status == 200 && page.contains("lamp") && !page.contains("<b>lamp"), "{page}");
    let (_, detail) = app.page(&format!("/samples/{sample}"), &lead).await;
    assert!(detail.contains(&address), "the sample's page leads there");
    let wrong = app.send(form(&address, &lead), "label.ok=maybe&reason.ok=kept+words").await;
    assert_eq!(wrong.status, 422);
    assert!(String::from_utf8_lossy(&wrong.body).contains("kept words"));
    let answer = "label.ok=pass&reason.ok=it+stands+on+a+desk";
    assert_eq!(app.send(form(&address, &annotator), answer).await.status, 403);
    let done = app.send(form(&address, &lead), answer).await;
    assert_eq!(
        (done.status, done.headers[LOCATION].to_str().expect("text")),
        (StatusCode::SEE_OTHER, "/audit/programme?task=t")
    );
    let (_, page) = app.page("/audit/programme?task=t", &lead).await;
    assert!(page.contains("it stands on a desk") && page.contains(&format!("{address}/retire")), "{page}");
    assert_eq!(app.send(form(&format!("{address}/retire"), &lead), "task=t").await.status, 303);
    let (_, page) = app.page("/audit/programme?task=t", &lead).await;
    assert!(page.contains("retired") && !page.contains("/retire"), "{page}");
}
