//! The rubric pages: every version readable, errors that name line and field and keep the text, and what
//! publishing would do said before it is done.

use super::cases::{form, read};
use super::*;

fn encoded(text: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("text", text).finish()
}

async fn ship(pool: &PgPool) {
    let mut conn = pool.acquire().await.expect("a connection");
    for rubric in concord_pipeline::rubrics::shipped().expect("rubrics") {
        concord_store::rubrics::add(&mut conn, &rubric).await.expect("stored");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn annotators_are_refused_the_rubric_pages(pool: PgPool) {
    let app = App::new(pool.clone());
    ship(&pool).await;
    let (lead, annotator) = (app.token(Role::Lead).await, app.token(Role::Annotator).await);
    for path in [
        "/rubrics",
        "/rubrics/new",
        "/rubrics/tag/1.0",
        "/rubrics/tag/1.0/edit",
        "/rubrics/explanation/diff?from=1.0&to=2.0",
    ] {
        assert_eq!(app.page(path, &annotator).await.0, 403, "{path}");
        assert_eq!(app.page(path, &lead).await.0, 200, "{path}");
    }
    for path in ["/rubrics/check", "/rubrics/publish"] {
        let text = encoded(concord_app::rubrics::TEMPLATE);
        assert_eq!(app.send(form(path, &annotator), text).await.status, 403, "{path}");
    }
    assert_eq!(app.page("/rubrics/tag/9.9", &lead).await.0, 404);
    let (_, page) = app.page("/rubrics/interest/1.0", &lead).await;
    for words in ["spontaneous", "necessity", "strong", "weak", "none", "hallucination", "幻觉", "zh-CN"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (_, page) = app.page("/rubrics/explanation/2.0", &lead).await;
    assert_eq!(page.matches("rubric-criterion").count(), 7, "{page}");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_editor_keeps_the_text_names_the_line_and_says_what_a_change_does(pool: PgPool) {
    let app = App::new(pool.clone());
    ship(&pool).await;
    let lead = app.token(Role::Lead).await;
    let versions = app.send(read("/api/v1/rubrics/tag/versions", &lead), "").await.json();
    assert_eq!(versions[0]["rubric"]["version"], "1.0");
    let source = app.page("/rubrics/tag/1.0/edit", &lead).await.1;
    let start = source
        .find("<textarea")
        .and_then(|at| source[at..].find('>').map(|end| at + end + 1))
        .expect("a text area");
    let text = source[start..].split("</textarea>").next().expect("its text").trim_start_matches('\n');
    let text = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");

    let broken = text.replacen("pass = true", "pass = maybe", 1);
    let answer = app.send(form("/rubrics/check", &lead), encoded(&broken)).await;
    let page = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 422, "{page}");
    assert!(page.contains("pass = maybe"), "the text is kept");
    let line = 1 + broken.lines().position(|line| line == "pass = maybe").expect("the line");
    assert!(page.contains(&format!("line {line}: ")), "line {line}: {page}");

    let reworded = text.replacen("version = \"1.0\"", "version = \"1.1\"", 1).replacen(
        "[[criteria]]\n",
        "[[criteria]]\n# ours\n",
        1,
    );
    let page = app.send(form("/rubrics/check", &lead), encoded(&reworded)).await;
    assert!(String::from_utf8_lossy(&page.body).contains("A minor change"));
    let renamed = reworded.replacen("name = \"relevance\"", "name = \"fit\"", 1);
    let answer = app.send(form("/rubrics/publish", &lead), encoded(&renamed)).await;
    let page = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        answer.status == 422 && page.contains("relevance is gone") && page.contains("version 2.0"),
        "{page}"
    );
    let major = renamed.replacen("\"1.1\"", "\"2.0\"", 1);
    let checked =
        app.send(post("/api/v1/rubrics/check", &lead), json!({"toml": major}).to_string()).await.json();
    assert_eq!(
        (&checked["kind"], &checked["breaks"]),
        (&json!("major"), &json!(["relevance is gone", "fit is new"]))
    );

    let done = app.send(form("/rubrics/publish", &lead), encoded(&reworded)).await;
    assert_eq!(done.headers[LOCATION], "/rubrics/tag/1.1?published=yes");
    let diff = app.send(read("/api/v1/rubrics/tag/diff?from=1.0&to=1.1", &lead), "").await.json();
    let changed: Vec<&Value> =
        diff.as_array().expect("lines").iter().filter(|line| line["sign"] != "=").collect();
    assert_eq!(changed.len(), 2, "{changed:?}");
    let (_, page) = app.page("/rubrics", &lead).await;
    assert!(page.contains("/rubrics/tag/1.1"), "{page}");
}
