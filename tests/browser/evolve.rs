//! The pages of self-training: rounds, what the gate decided, models, runs of training, and the heads of judges.

use crate::signed_in;
use concord_tests::{Browser, Scheme, TestServer};
use sqlx::PgPool;

const ROUND: &str = "/evolve/rounds/00000000-0000-0000-0000-0000000000a1";
const RUN: &str = "/evolve/runs/00000000-0000-0000-0000-0000000000d1";
const EMPTY: [(&str, &str); 3] =
    [("evolve", "/evolve"), ("training-runs", "/evolve/runs"), ("judge-heads", "/judges/tag/heads")];

#[tokio::test]
async fn the_pages_of_self_training_have_nothing_for_axe_to_find_empty_or_full() {
    let server = TestServer::start().await;
    let browser = signed_in(&server, "lead@example.org", "lead").await;
    look(&browser, "empty", &EMPTY).await;
    browser.goto("/evolve").await;
    assert!(browser.text().await.contains("concord evolve run"), "the empty page names the command");

    let pool = PgPool::connect(server.database_url()).await.expect("the test's database");
    sqlx::raw_sql(PLANTED).execute(&pool).await.expect("rounds, models and runs");
    let full = [&EMPTY[..], &[("evolve-round", ROUND), ("training-run", RUN)]].concat();
    look(&browser, "full", &full).await;

    for (path, text) in [
        ("/evolve", "not shown to be better"),
        ("/evolve", "Every 14 days; the next one is due"),
        (ROUND, "judges learn from the labels"),
        (ROUND, "28.4, 29.1"),
        ("/evolve/runs", "smollm2-135m-round-2"),
        (RUN, "25 of 60 steps at the last checkpoint, 8.0 min left"),
        ("/judges/tag/heads", "catches no more"),
    ] {
        browser.goto(path).await;
        let shown = browser.text().await;
        assert!(shown.contains(text), "{path}: {shown}");
    }
    for path in ["/evolve", RUN] {
        browser.goto(path).await;
        let current = "return document.querySelector('.main-nav [aria-current=page]')?.dataset.testid";
        assert_eq!(browser.run(current).await, "nav-pipeline", "{path} is of the pipeline");
    }
    browser.close().await;
}

async fn look(browser: &Browser, state: &str, pages: &[(&str, &str)]) {
    let sizes = [(1440, 900, "wide"), (390, 844, "narrow")];
    for (name, path) in pages {
        for (scheme, tone) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            browser.prefer(scheme).await;
            for (width, height, size) in sizes {
                browser.resize(width, height).await;
                browser.goto(path).await;
                seen(browser, &format!("{name}-{state}-{size}-{tone}")).await;
            }
        }
        browser.prefer(Scheme::Light).await;
        browser.resize(1440, 900).await;
        browser.run("document.cookie = 'lang=zh; path=/'").await;
        browser.goto(path).await;
        browser.run("document.querySelectorAll('details').forEach(it => it.open = true)").await;
        seen(browser, &format!("{name}-{state}-zh")).await;
        browser.run("document.cookie = 'lang=en; path=/'").await;
    }
}

async fn seen(browser: &Browser, name: &str) {
    browser.screenshot(name).await;
    assert_eq!(browser.accessibility().await, Vec::<String>::new(), "{name}");
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.run(wide).await, 0, "{name} scrolls sideways");
}

/// Three rounds (done and refused, open and waiting for people, failed), two models, a run under way and one that failed,
/// and a refused judge.
const PLANTED: &str = r#"
insert into models (id, role, name, base, base_sha256, dir, sha256, bytes, settings, losses)
    select ('00000000-0000-0000-0000-0000000000b' || n)::uuid, 'generator', 'smollm2-135m-round-' || n, 'smollm2-135m',
           repeat('b179c952', 8), '/var/lib/concord/trained/smollm2-135m-round-' || n, repeat(n::text, 64), 98362432,
           '{"rows": 41, "left_out": 3}', array(select 3.2 * exp(-s / 8.0) + 0.4 + 0.1 * sin(s * n) from generate_series(1, 60) s)
    from generate_series(1, 2) n;
insert into promotions (id, role, kind, model_id, decision, by_account)
    select '00000000-0000-0000-0000-0000000000c1', 'generator', 'refuse', '00000000-0000-0000-0000-0000000000b1', jsonb_build_object(
        'promote', false,
        'refused', jsonb_build_array('passes every criterion changes by +0.021 [-0.064, +0.110]: not shown to be better'),
        'compared', jsonb_build_array(
            jsonb_build_object('name', 'passes every criterion', 'old', 0.412, 'new', 0.433, 'gain', e.it),
            jsonb_build_object('name', 'interest reasonableness', 'old', 0.71, 'new', 0.69, 'gain', e.it),
            jsonb_build_object('name', 'spread of tags', 'old', 0.81, 'new', null, 'gain', e.it || '{"est": null, "ci": null, "why": "no tag has a category"}'))), a.id
    from accounts a, (select '{"est": 0.021, "se": 0.044, "ci": [-0.064, 0.11], "level": 0.95, "method": "bootstrap", "n": 15, "why": null}'::jsonb it) e
    where a.email = 'lead@example.org';
insert into promotions (id, role, kind, model_id, decision, by_account)
    select '00000000-0000-0000-0000-0000000000c2', 'generator', 'promote', '00000000-0000-0000-0000-0000000000b2', '{"promote": true}', id
    from accounts where email = 'lead@example.org';
insert into rounds (id, plan, state, why, created_by, created_at, finished_at)
    select ('00000000-0000-0000-0000-0000000000a' || n)::uuid, '{}', (array['done', 'failed', 'open'])[n],
           case when n = 2 then 'step generate made no generation' end, a.id, now() - interval '1 hour' * (4 - n), case when n < 3 then now() end
    from accounts a, generate_series(1, 3) n where a.email = 'lead@example.org' order by n;
insert into round_steps (round_id, place, name, state, message, detail, started_at, finished_at)
    select r.id, s.place, s.name,
           case when r.state = 'done' then 'done' when r.state = 'failed' then case when s.place = 1 then 'failed' else 'open' end
                when s.place < 3 then 'done' when s.place = 3 then 'people' else 'open' end,
           case when r.state = 'open' and s.place = 3 then '17 of 60 samples labelled' end,
           case when r.state <> 'done' then '{}' else case s.name
               when 'train' then '{"model": "00000000-0000-0000-0000-0000000000b1", "name": "smollm2-135m-round-1", "rows": 41, "tokens": 19876, "first_loss": 3.6, "last_loss": 0.41}'
               when 'decide' then '{"promotion": "00000000-0000-0000-0000-0000000000c1", "kind": "refuse"}'
               when 'teach_judge' then '{"runs": [], "tag": "refused", "interest": "promoted"}'
               when 'measure' then jsonb_build_object('measures', (select jsonb_agg(jsonb_build_object('task', t, 'criterion', 'all', 'judge', 'j',
                   'kappa', e.it, 'specificity', e.it || '{"est": 0.61, "ci": [0.4, 0.8]}', 'pass_rate', e.it || '{"est": 0.44, "ci": [0.3, 0.57]}',
                   'labels_for_5', 1553, 'labels_for_10', 388)) from unnest(array['interest', 'tag', 'explanation']) t,
                   (select '{"est": 0.31, "se": 0.1, "ci": [0.11, 0.5], "level": 0.95, "method": "m", "n": 45, "why": null}'::jsonb it) e))
               else '{"samples": 135}' end::jsonb end,
           case when r.state = 'done' or s.place < 4 then r.created_at end, case when r.state = 'done' then r.created_at + interval '4 minutes' end
    from rounds r, unnest(array['generate', 'judge', 'label', 'export', 'train', 'generate_new', 'judge_new', 'label_new', 'decide', 'teach_judge', 'measure'])
         with ordinality s (name, place);
update rounds set plan = '{"log": {}}' where id = '00000000-0000-0000-0000-0000000000a1';
insert into round_steps (round_id, place, name, state, detail, started_at, finished_at)
    select '00000000-0000-0000-0000-0000000000a1', 12, 'hit_rate', 'done', jsonb_build_object('hit_rate', jsonb_build_object(
        'before', e.it, 'after', e.it || '{"est": 0.4}', 'gain', e.it || '{"est": 0.09, "ci": [-0.02, 0.2]}', 'tags', '[28.4, 29.1]'::jsonb)), now(), now()
    from (select '{"est": 0.31, "se": 0.1, "ci": [0.11, 0.5], "level": 0.95, "method": "m", "n": 45, "why": null}'::jsonb it) e;
insert into round_schedule (plan, every_days, next_at, created_by)
    select '{"log": {"days": 14}, "tags": 30}', 14, now() + interval '9 days', id from accounts where email = 'lead@example.org';
insert into training_runs (id, name, role, task, criterion, base, base_sha256, data_sha256, examples, left_out, settings, folder, state, why, steps, losses,
                           tokens_per_second, seconds_left, starts)
    values ('00000000-0000-0000-0000-0000000000d1', 'smollm2-135m-round-2', 'generator', null, null, 'smollm2-135m', repeat('b179c952', 8), repeat('0a1b2c3d', 8),
            41, 3, '{"lora": {"rank": 8}, "run": {"seed": 1}}', '/var/lib/concord/trained/smollm2-135m-round-2', 'running', null, 60,
            array(select 3.2 * exp(-s / 8.0) + 0.4 + 0.1 * sin(s * 3) from generate_series(1, 25) s), 41.7, 480, 2),
           ('00000000-0000-0000-0000-0000000000d2', 'its-relevance', 'judge', 'tag', 'relevance', 'smollm2-135m', repeat('b179c952', 8), repeat('4d5e6f70', 8),
            120, 0, '{}', '/var/lib/concord/trained/its', 'failed', 'the loss is no number at step 3', 20, '{}', null, null, 1);
insert into judges (name, model, model_hash, model_family, backend, prompt_version)
    select name, 'qwen2.5-coder-1.5b', 'cc324af0', 'qwen2.5', 'candle', 'judge/2' from unnest(array['qwen2.5-coder-1.5b@cc324af0 judge/2', 'qwen2.5-coder-1.5b@cc324af0 judge/2 head-5e1f']) name;
insert into judge_head_runs (id, task, request, state, before_judge, judge, outcome, created_by, finished_at)
    select gen_random_uuid(), 'tag', '{}', 'refused', 'qwen2.5-coder-1.5b@cc324af0 judge/2', 'qwen2.5-coder-1.5b@cc324af0 judge/2 head-5e1f',
           jsonb_build_object('trained', '["relevance"]'::jsonb, 'untrained', '[["validity", "a head needs 16 labels of each side"]]'::jsonb,
               'refused', '["it catches no more of what people fail: +0.02 [-0.08, +0.11]"]'::jsonb,
               'compared', jsonb_build_array(jsonb_build_object('criterion', '*', 'n', 180, 'specificity', jsonb_build_array(e.it, e.it, e.it),
                   'kappa', jsonb_build_array(e.it, e.it, e.it), 'only_right', '[12, 14]'::jsonb, 'p', 0.845))), a.id, now()
    from accounts a, (select '{"est": 0.31, "se": 0.1, "ci": [0.11, 0.5], "level": 0.95, "method": "m", "n": 60, "why": null}'::jsonb it) e
    where a.email = 'lead@example.org';
"#;
