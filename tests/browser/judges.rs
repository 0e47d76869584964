//! The judge pages: a lead sees what the judge is made of, changes it, and probes it.

use crate::signed_in;
use concord_tests::{Browser, Scheme, TestServer};
use sqlx::PgPool;

#[tokio::test]
async fn a_lead_calibrates_a_judge_shows_it_examples_and_probes_it() {
    let server = TestServer::start_with_tiny_models().await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    look(&browser, "judges-empty", "/judges").await;
    assert!(browser.text().await.contains("concord judge --task tag"), "the empty page names the command");

    server.load_demo().await;
    let admin = server.account("admin@example.org", "admin").await;
    server.generate(&admin, &server.users_of("train", 1).await).await;
    let pool = PgPool::connect(server.database_url()).await.expect("the test's database");
    labelled_tags(&pool).await;

    browser.goto("/judges").await;
    let before = browser.text().await;
    assert!(before.contains("share the weights' family"), "the same weights write and judge: {before}");
    post(&browser, "/judges/tag/calibration", "recalibrate").await;
    browser.wait_for_text("Calibrated. Stored verdicts are being read anew.").await;
    let after = browser.text().await;
    assert!(after.contains("calibrated-") && after.contains("n = 60 (30 pass, 30 fail)"), "{after}");
    look(&browser, "judges-calibrated", "/judges").await;

    post(&browser, "/judges/tag/examples", "draw-examples").await;
    browser.wait_for_text("examples-").await;
    assert!(!browser.text().await.contains("calibrated-"), "other examples, other logits");
    browser.run("document.querySelectorAll('details').forEach(it => it.open = true)").await;
    browser.screenshot("judges-examples-open").await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new());

    browser.fill("[aria-labelledby=judge-tag] [name=samples]", "4").await;
    browser.click("[aria-labelledby=judge-tag] [data-testid=run-probes]").await;
    browser.wait_for("[data-testid=probe-run]").await;
    for _ in 0..600 {
        let open: i64 = sqlx::query_scalar("select count(*) from judge_probes where finished_at is null")
            .fetch_one(&pool)
            .await
            .expect("a count");
        if open == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    look(&browser, "judge-probes", "/judges/tag/probes").await;
    assert!(browser.text().await.contains("another user's text"));
    browser.close().await;

    let annotator = signed_in(&server, "ann@example.org", "annotator").await;
    annotator.goto("/judges").await;
    assert!(annotator.text().await.contains("Your role does not allow"), "{}", annotator.text().await);
    annotator.close().await;
}

/// Presses a button of a form that may be folded away.
async fn post(browser: &Browser, action: &str, testid: &str) {
    browser.run("document.querySelectorAll('details').forEach(it => it.open = true)").await;
    browser.click(&format!("form[action='{action}'] [data-testid={testid}]")).await;
}

async fn look(browser: &Browser, name: &str, path: &str) {
    for lang in ["en", "zh"] {
        browser.goto(path).await;
        browser.run(&format!("document.cookie = 'lang={lang}; path=/'")).await;
        for (scheme, tone) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            browser.prefer(scheme).await;
            for (width, height, size) in [(1440, 900, "wide"), (390, 844, "narrow")] {
                browser.resize(width, height).await;
                browser.goto(path).await;
                browser.screenshot(&format!("{name}-{lang}-{size}-{tone}")).await;
                let found = browser.accessibility().await;
                assert_eq!(found, Vec::<String>::new(), "{name} {lang} {size} {tone}");
            }
        }
    }
    browser.run("document.cookie = 'lang=en; path=/'").await;
    browser.prefer(Scheme::Light).await;
    browser.resize(1440, 900).await;
    browser.goto(path).await;
}

/// Sixty tags of the train half, judged by the tag judge as it is and labelled by one person.
async fn labelled_tags(pool: &PgPool) {
    sqlx::raw_sql(
        "insert into users (key, half) select 'more ' || k, 'train' from generate_series(1, 60) k;
         insert into samples (id, key, task, text, half, user_id, rubric_version, serve_order, judged, generator)
         select gen_random_uuid(), u.key, 'tag', 'waterproof trail jacket ' || u.id, 'train', u.id, r.version, 0, true, 'elsewhere'
         from users u, rubrics r where u.key like 'more %' and r.task = 'tag' and r.current;
         insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass, logits)
         select gen_random_uuid(), s.id, c.criterion, c.judge, s.rubric_version, 'ok', 'pass', true, 0.6,
                jsonb_build_object('Yes', 0.4 + 0.03 * (s.user_id % 40), 'No', 0)
         from samples s join judge_configs c on c.task = 'tag' and c.current where s.key like 'more %';
         insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
         select gen_random_uuid(), s.id, 'tag', c.criterion, 'ann', case when s.place > 30 then 'pass' else 'fail' end, s.place > 30,
                'blind', 'learning', 1, s.rubric_version, 'imported'
         from (select *, row_number() over (order by (user_id % 40) + 7 * (user_id % 3), id) place from samples where key like 'more %') s
         join judge_configs c on c.task = 'tag' and c.current",
    )
    .execute(pool)
    .await
    .expect("tags with verdicts and labels");
}
