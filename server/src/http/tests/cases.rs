//! The pages and the API on which leads decide: for leads, and nobody else.

use super::*;
use concord_service::intake::{Format, ImportOptions, Kind, import};

/// Three samples: people tied, people agreed against a sure judge, and all agreed.
async fn imported(pool: &PgPool) {
    let labels = r#"{"sample":"a","task":"t","criterion":"ok","rater":"ann","label":"yes"}
{"sample":"a","task":"t","criterion":"ok","rater":"bob","label":"no"}
{"sample":"b","task":"t","criterion":"ok","rater":"ann","label":"yes"}
{"sample":"c","task":"t","criterion":"ok","rater":"ann","label":"yes"}"#;
    let verdicts = r#"{"sample":"a","task":"t","criterion":"ok","judge":"j","p_pass":0.9}
{"sample":"b","task":"t","criterion":"ok","judge":"j","p_pass":0.02,"rationale":"it is <b>not</b>"}
{"sample":"c","task":"t","criterion":"ok","judge":"j","p_pass":0.8}"#;
    for (kind, text) in [(Kind::Labels, labels), (Kind::Verdicts, verdicts)] {
        let mut rejects = Vec::new();
        let options = ImportOptions::new(kind, Format::Jsonl);
        import(pool, std::io::Cursor::new(text), &options, &mut rejects, |_| {}).await.expect("an import");
        assert!(rejects.is_empty(), "{kind:?}");
    }
}

pub(super) fn form(path: &str, token: &str) -> Builder {
    Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
}

pub(super) fn read(path: &str, token: &str) -> Builder {
    get(path).header(AUTHORIZATION, format!("Bearer {token}"))
}

impl App {
    pub(super) async fn page(&self, path: &str, token: &str) -> (u16, String) {
        let answer = self.send(read(path, token), "").await;
        (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn annotators_are_refused_every_page_and_route_of_the_leads(pool: PgPool) {
    let app = App::new(pool.clone());
    imported(&pool).await;
    let (lead, annotator) = (app.token(Role::Lead).await, app.token(Role::Annotator).await);
    let cases = app.send(read("/api/v1/cases", &lead), "").await.json();
    let sample = cases["rows"][0]["sample"].as_str().expect("a case").to_owned();
    for path in
        ["/audit/cases", "/audit/cases.csv", "/audit/cases?state=any", &format!("/audit/cases/{sample}/ok")]
    {
        let (status, body) = app.page(path, &annotator).await;
        assert_eq!(status, 403, "{path}");
        assert!(!body.contains(&sample) && !body.contains("0.9"), "{path}: {body}");
        assert_eq!(app.page(path, &lead).await.0, 200, "{path}");
    }
    for path in ["/api/v1/cases", &format!("/api/v1/cases/{sample}/ok")] {
        app.send(read(path, &annotator), "").await.is_problem(403, "forbidden");
    }
    let one = json!({"sample": sample, "criterion": "ok", "outcome": "pass", "reason": "slip"}).to_string();
    app.send(post("/api/v1/adjudications", &annotator), one.clone()).await.is_problem(403, "forbidden");
    let many = format!("case={sample}%2Fok&outcome=pass&reason=slip");
    assert_eq!(app.send(form("/audit/cases", &annotator), many).await.status, 403);
    let entered = "decision=pass%3Ayes&reason=slip";
    assert_eq!(app.send(form(&format!("/audit/cases/{sample}/ok"), &annotator), entered).await.status, 403);
    assert_eq!(app.send(post("/api/v1/adjudications", &lead), one).await.status, 201);
}

#[sqlx::test(migrations = "../migrations")]
async fn one_decision_or_many_are_stored_and_errors_name_the_field(pool: PgPool) {
    let app = App::new(pool.clone());
    imported(&pool).await;
    let lead = app.token(Role::Lead).await;
    let cases = app.send(read("/api/v1/cases?state=any&sort=confidence", &lead), "").await.json();
    assert_eq!(cases["total"], 3, "{cases}");
    let sample = |n: usize| cases["rows"][n]["sample"].as_str().expect("a case").to_owned();
    let path = "/api/v1/adjudications";
    let wrong = json!([{"sample": sample(0), "criterion": "ok", "outcome": "pass", "reason": "slip"},
                       {"sample": sample(1), "criterion": "ok", "outcome": "good", "reason": "slip"}]);
    let problem = app.send(post(path, &lead), wrong.to_string()).await.is_problem(422, "invalid");
    assert_eq!(problem["field"], "[1].outcome", "{problem}");
    let wrong = json!({"sample": sample(0), "criterion": "charm", "outcome": "pass", "reason": "slip"});
    let problem = app.send(post(path, &lead), wrong.to_string()).await.is_problem(422, "invalid");
    assert_eq!(problem["field"], "adjudications[0].criterion");
    let none = json!({"sample": uuid::Uuid::nil(), "criterion": "ok", "outcome": "pass", "reason": "slip"});
    app.send(post(path, &lead), none.to_string()).await.is_problem(404, "not_found");
    let many: Vec<Value> = (0..3)
        .map(|n| json!({"sample": sample(n), "criterion": "ok", "outcome": "ambiguous", "reason": "guideline_gap", "note": "?"}))
        .collect();
    let stored = app.send(post(path, &lead), json!(many).to_string()).await;
    assert_eq!(stored.status, 201);
    let stored = stored.json();
    assert_eq!((&stored[2]["outcome"], &stored[2]["label"]), (&json!("ambiguous"), &Value::Null), "{stored}");
    assert_eq!(stored[2]["by"], "lead@example.org");
    let left = app.send(read("/api/v1/cases", &lead), "").await.json();
    assert_eq!(left["total"], 0, "{left}");
    app.send(read("/api/v1/cases?state=lost", &lead), "").await.is_problem(422, "invalid");
    app.send(read("/api/v1/cases?after=x", &lead), "").await.is_problem(422, "invalid");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_list_keeps_its_filter_and_what_was_entered(pool: PgPool) {
    let app = App::new(pool.clone());
    imported(&pool).await;
    let lead = app.token(Role::Lead).await;
    let (_, page) = app.page("/audit/cases?task=t&annotator=bob", &lead).await;
    assert!(page.contains("1 decision needs a lead"), "{page}");
    assert!(
        page.contains("/audit/cases?task=t&amp;annotator=bob"),
        "the form goes back to its filter: {page}"
    );
    let empty =
        app.send(form("/audit/cases?task=t", &lead), "outcome=fail&reason=other&note=kept+words").await;
    assert_eq!(empty.status, 422);
    let page = String::from_utf8_lossy(&empty.body).into_owned();
    assert!(page.contains("kept words") && page.contains("select at least one row"), "{page}");
    let cases = app.send(read("/api/v1/cases", &lead), "").await.json();
    let rows = cases["rows"].as_array().expect("rows");
    assert_eq!(
        rows.iter().map(|row| row["state"].as_str().expect("a state")).collect::<Vec<_>>(),
        ["tied", "judge_fail_people_pass"]
    );
    let body = rows
        .iter()
        .map(|row| format!("case={}%2Fok", row["sample"].as_str().expect("an id")))
        .collect::<Vec<_>>()
        .join("&");
    let done =
        app.send(form("/audit/cases?task=t", &lead), format!("{body}&outcome=fail&reason=slip&note=")).await;
    assert_eq!(
        (done.status, done.headers[LOCATION].to_str().expect("text")),
        (StatusCode::SEE_OTHER, "/audit/cases?task=t&decided=2")
    );
    let (_, page) = app.page("/audit/cases?decided=2", &lead).await;
    assert!(page.contains("2 decisions are stored") && page.contains("Nothing needs a lead"), "{page}");
    let (_, csv) = app.page("/audit/cases.csv?state=any", &lead).await;
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(
        csv.starts_with("sample,key,task") && csv.contains(",adjudicated,1,1,fail,fail,j,pass,0.9,"),
        "{csv}"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn annotators_never_see_the_annotators_page_and_leads_do(pool: PgPool) {
    let app = App::new(pool.clone());
    imported(&pool).await;
    let (lead, annotator) = (app.token(Role::Lead).await, app.token(Role::Annotator).await);
    for path in [
        "/audit/annotators",
        "/audit/annotators.csv",
        "/audit/escalations",
        "/audit/decisions.csv?task=t&criterion=ok&judge=j",
        "/audit/card/slices.csv?task=t&criterion=ok&judge=j",
        "/audit/card/reliability.csv?task=t&criterion=ok&judge=j",
        "/audit/card/judges.csv?task=t&criterion=ok&judge=j",
    ] {
        assert_eq!(app.page(path, &annotator).await.0, 403, "{path}");
        assert_eq!(app.page(path, &lead).await.0, 200, "{path}");
    }
    app.send(read("/api/v1/annotators", &annotator), "").await.is_problem(403, "forbidden");
    let people = app.send(read("/api/v1/annotators", &lead), "").await.json();
    assert_eq!((&people[0]["rater"], &people[0]["labels"]), (&json!("ann"), &json!(3)), "{people}");
    assert_eq!(people[0]["skill"]["est"], Value::Null, "one shared answer says nothing: {people}");
    let (_, csv) = app.page("/audit/decisions.csv?task=t&criterion=ok&judge=j", &lead).await;
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let (_, csv) = app.page("/audit/card/slices.csv?task=t&criterion=ok&judge=j", &lead).await;
    assert!(csv.lines().any(|line| line.starts_with("rater,ann,1,0,1,0,")), "{csv}");
}
