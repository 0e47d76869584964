//! A lead's hour: people disagree, a lead decides, the report card changes; and every page of the leads at
//! real-looking volumes.

use crate::signed_in;
use concord_tests::{Browser, Scheme, TestServer, Volume};
use serde_json::Value;

const PAGES: [(&str, &str); 10] = [
    ("audit", "/audit"),
    ("cases", "/audit/cases"),
    ("cases-filtered", "/audit/cases?state=judge_fail_people_pass&task=tag&sort=confidence"),
    ("decisions", "/audit/decisions?task=tag&criterion=relevance&judge=qwen3-4b%20judge%2F2"),
    ("card", "/audit/card?task=tag&criterion=relevance&judge=qwen3-4b%20judge%2F2"),
    ("escalations", "/audit/escalations"),
    ("annotators", "/audit/annotators"),
    ("rubrics", "/rubrics"),
    ("rubric", "/rubrics/interest/1.0"),
    ("rubric-edit", "/rubrics/explanation/1.0/edit"),
];

#[tokio::test]
async fn the_leads_pages_have_nothing_for_axe_to_find_full() {
    let server = TestServer::start().await;
    server.load_volume(&Volume::of(2400)).await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    look(&browser, "full", &PAGES).await;
    browser.goto("/audit/cases").await;
    let href = browser.run("return document.querySelector('a.row-link').getAttribute('href')").await;
    let diff = "/rubrics/explanation/diff?from=1.0&to=2.0";
    look(&browser, "full", &[("case", href.as_str().expect("a case")), ("rubric-diff", diff)]).await;
    browser.close().await;
}

#[tokio::test]
async fn the_leads_pages_say_what_to_do_next_where_they_are_empty() {
    let server = TestServer::start().await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    let empty: Vec<(&str, &str)> = PAGES
        .into_iter()
        .filter(|(name, _)| matches!(*name, "cases" | "escalations" | "annotators" | "rubrics"))
        .collect();
    look(&browser, "empty", &empty).await;
    browser.goto("/audit/cases").await;
    browser.wait_for("[data-testid=cases-empty]").await;
    browser.close().await;
}

async fn look(browser: &Browser, state: &str, pages: &[(&str, &str)]) {
    for (name, path) in pages {
        for (scheme, tone) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            browser.prefer(scheme).await;
            for (width, height, size) in [(1440, 900, "wide"), (390, 844, "narrow")] {
                browser.resize(width, height).await;
                browser.goto(path).await;
                browser.screenshot(&format!("{name}-{state}-{size}-{tone}")).await;
                let found = browser.accessibility().await;
                assert_eq!(found, Vec::<String>::new(), "{name} {state} {size} {tone}");
            }
        }
    }
}

/// Two annotators answer the same samples of the audit half blind and differently; a lead decides the first tie on
/// the page, then several at once; the report card counts it.
#[tokio::test]
async fn two_annotators_disagree_a_lead_decides_and_the_report_card_changes() {
    let server = TestServer::start_with_tiny_models().await;
    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    let overlap = serde_json::json!({"overlap": 2, "lease_seconds": 600, "gold_rate": 0.0, "audit_share": 1.0, "repeat_rate": 0.0});
    for task in ["interest", "tag", "explanation"] {
        let set = server.client().put(server.url(&format!("/api/v1/tasks/{task}/programme")));
        let set = set.bearer_auth(&admin).json(&overlap).send().await.expect("an answer");
        assert!(set.status().is_success(), "{}", set.text().await.unwrap_or_default());
    }
    server.generate(&admin, &server.users_of("audit", 1).await).await;
    for (email, pass) in [("ann@example.org", true), ("bob@example.org", false)] {
        let token = server.account(email, "annotator").await;
        // How many samples a user gives depends on who was drawn into the half: all of them are answered.
        let mut n = 0;
        while let Some(assignment) = server.next(&token).await {
            n += 1;
            let answer = server.submit(&token, &assignment, &format!("{email}{n}"), "blind", pass).await;
            assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap_or_default());
        }
    }
    let before = pooled(&server, &admin).await;
    assert_eq!(before.0, 0, "everything is tied: {before:?}");
    assert!(before.1 >= 4, "{before:?}");

    let browser = signed_in(&server, "lead@example.org", "lead").await;
    browser.goto("/audit/cases").await;
    browser.wait_for_text("decisions need a lead").await;
    // Enter opens a row.
    browser.run("document.querySelector('a.row-link').focus()").await;
    browser.press(&char::from(fantoccini::key::Key::Enter).to_string()).await;
    browser.wait_for("[data-testid=case-form]").await;
    assert_eq!(
        browser.run("return document.querySelectorAll('[data-testid=case-votes] tbody tr').length").await,
        2
    );
    browser.click("input[name=decision][value^='pass:']").await;
    browser.click("input[name=reason][value=guideline_gap]").await;
    browser.fill("textarea[name=note]", "The guideline is silent on gifts").await;
    browser.click("[data-testid=decide-next]").await;
    browser.wait_for("[data-testid=decided]").await;
    browser.wait_for("[data-testid=case-form]").await;
    let one = pooled(&server, &admin).await;
    assert_eq!(one.0, before.0 + 1, "one decision more stands in the cells: {before:?} {one:?}");

    browser.goto("/audit/cases?state=tied").await;
    let picked = browser.run("const all = [...document.querySelectorAll('input[name=case]')].slice(0, 2); all.forEach(it => it.click()); return all.length").await;
    assert_eq!(picked, 2);
    browser.click("select[name=outcome] option[value=fail]").await;
    browser.click("select[name=reason] option[value=slip]").await;
    browser.click("[data-testid=decide-many]").await;
    browser.wait_for_text("2 decisions are stored").await;
    browser.screenshot("cases-decided").await;
    let three = pooled(&server, &admin).await;
    assert_eq!((three.0, three.1), (before.0 + 3, before.1 - 3), "{three:?}");
    browser.goto("/audit").await;
    browser.wait_for("[data-testid=audit-row]").await;
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    browser.close().await;
}

/// Decisions in the cells, and those left out as tied, of all tasks' pooled cards.
async fn pooled(server: &TestServer, token: &str) -> (u64, u64) {
    let report: Value = server.get(token, "/api/v1/audit?criterion=*").await.json().await.expect("JSON");
    let cards = report["cards"].as_array().expect("cards");
    let sum = |read: &dyn Fn(&Value) -> Option<u64>| cards.iter().filter_map(read).sum();
    (sum(&|card| card["n"].as_u64()), sum(&|card| card["reference"]["n_tied"].as_u64()))
}
