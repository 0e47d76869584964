//! Generation from logs to explanations with a model that writes what it should not: what comes out breaks no rule, is
//! written once whatever dies, and stops and goes on as people say.

use crate::author::{Author, Bench};
use concord_domain::api::{Pipeline, Work};
use concord_domain::{ExplainRequest, GenerationRequest, NewPreset, PresetChange, Role, Steer};
use sqlx::PgPool;
use std::time::Duration;

#[sqlx::test(migrations = "../../migrations")]
async fn the_pool_is_built_from_the_catalogue_and_what_people_take_out_stays_out(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    let ann = bench.world.account("ann", Role::Annotator).await;
    assert_eq!(bench.pipeline.build_presets(&ann).await.unwrap_err().code(), "forbidden");
    let new = bench.pipeline.build_presets(&lead).await.unwrap();
    assert!(new > 40, "{new}");
    let angling = bench.preset(&lead, "Angling").await;
    assert_eq!(angling.category, ["Outdoor", "Angling"]);
    let out = PresetChange { active: Some(false), ..PresetChange::default() };
    bench.pipeline.change_preset(&lead, angling.id, out).await.unwrap();
    assert_eq!(
        bench.pipeline.build_presets(&lead).await.unwrap(),
        0,
        "nothing is new, and nothing comes back"
    );
    assert!(!bench.preset(&lead, "Angling").await.active);
    let knitting = NewPreset { name: "  hand\nknitting ".into(), lang: "en".into() };
    let added = bench.pipeline.add_preset(&lead, knitting.clone()).await.unwrap();
    assert_eq!((added.name.as_str(), added.origin.as_str()), ("hand knitting", "person"));
    assert_eq!(bench.pipeline.add_preset(&lead, knitting).await.unwrap_err().code(), "preset_taken");
    let rename = PresetChange { name: Some("Angling".into()), ..PresetChange::default() };
    assert_eq!(
        bench.pipeline.change_preset(&lead, added.id, rename).await.unwrap_err().code(),
        "preset_taken"
    );
    let short = NewPreset { name: " x ".into(), lang: "en".into() };
    assert_eq!(bench.pipeline.add_preset(&lead, short).await.unwrap_err().code(), "invalid");
}

#[sqlx::test(migrations = "../../migrations")]
async fn an_interest_that_cites_nothing_is_marked_and_gets_no_tags(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    bench.pipeline.build_presets(&lead).await.unwrap();
    bench.generate(&lead, 6).await;
    let rows = bench.interests().await;
    for (text, marks, behaviours) in &rows {
        let made_up = text.starts_with("made up");
        assert_eq!(made_up, marks.iter().any(|mark| mark == "cites_nothing"), "{text}: {marks:?}");
        assert_eq!(made_up, behaviours.is_empty(), "{text}");
    }
    assert!(rows.iter().any(|(text, ..)| text.starts_with("made up")), "{rows:?}");
    let served: i64 = bench
        .one("select count(*) from samples t join samples i on i.id = t.parent_id where t.task = 'tag' and i.body -> 'marks' ? 'cites_nothing'")
        .await;
    assert_eq!(served, 0);
    let strangers: i64 = bench
        .one(
            "select count(*) from samples s, jsonb_array_elements_text(s.body -> 'behaviours') id
             where s.task = 'interest' and not exists (select from behaviours b where b.id = id::bigint and b.user_id = s.user_id)",
        )
        .await;
    assert_eq!(strangers, 0, "evidence is the user's own");
    let presets: i64 = bench
        .one("select count(*) from samples where task = 'interest' and body ->> 'preset' is not null")
        .await;
    assert!(presets > 0, "one that is a preset word for word is filed under it");
}

#[sqlx::test(migrations = "../../migrations")]
async fn things_that_others_use_together_are_named_as_threads_and_a_stranger_is_read_whole(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    // One person's two pursuits of three things each, either shared by two others, who have a fourth; and a person whose things
    // nobody else has.
    sqlx::raw_sql(
        "insert into users (key, half) select k, concord_half(k) from unnest(array['p1', 'p2', 'p3', 'p4', 'p5', 'alone']) k;
         insert into items (key, title, category) select p || n, (array['blue line', 'spare frame', 'large bag', 'folding stand'])[n] || case n when 4 then ' of ' || p else '' end,
                array['Outdoor', p]
            from unnest(array['kites', 'bees', 'lonely']) p, generate_series(1, 4) n;
         insert into behaviours (user_id, kind, item_id, at, reliable)
         select u.id, 'cart', i.id, '2026-01-01'::timestamptz + right(i.key, 1)::int * interval '40 days', true
         from users u, items i
         where (u.key in ('p1', 'p2', 'p3') and i.key like 'kites_' or u.key in ('p1', 'p4', 'p5') and i.key like 'bees_'
            or u.key = 'alone' and i.key like 'lonely_') and not (u.key = 'p1' and i.key like '%4')",
    )
    .execute(&pool)
    .await
    .unwrap();
    let request = GenerationRequest {
        user_keys: vec!["p1".into(), "alone".into()],
        interests: 4,
        tags: 6,
        explanations: 0,
        ..GenerationRequest::default()
    };
    bench.work.generate(&lead, request).await.unwrap();
    bench.drain(&["generate"]).await;
    let of = async |key: &str| -> Vec<(String, i64, String, i64, i64)> {
        sqlx::query_as(
            "select s.text, jsonb_array_length(s.body -> 'evidence')::bigint, s.body ->> 'stage',
                    (select count(distinct b.item_id) from behaviours b where s.body -> 'behaviours' @> to_jsonb(b.id)),
                    (select count(distinct left(i.key, 4)) from behaviours b join items i on i.id = b.item_id
                     where s.body -> 'behaviours' @> to_jsonb(b.id))
             from samples s join users u on u.id = s.user_id where s.task = 'interest' and u.key = $1 order by s.ordinal",
        )
        .bind(key)
        .fetch_all(&pool)
        .await
        .unwrap()
    };
    let threads = of("p1").await;
    assert!(!threads.is_empty() && threads.len() <= 2, "{threads:?}");
    for (text, lines, stage, things, pursuits) in &threads {
        assert!(text.starts_with("thread of ") && *lines > 0, "{text}: {lines} lines");
        assert_eq!((stage.as_str(), *things), ("current", 3), "eighty days, and every thing of the pursuit");
        assert_eq!(*pursuits, 1, "{text}: one pursuit a thread");
    }
    let prompts: Vec<String> = sqlx::query_scalar(
        "select c.prompt from calls c join users u on u.id = c.user_id where c.task = 'interest' and u.key = 'p1' order by 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(prompts.len(), 2, "a call a thread");
    assert!(prompts[0].contains("- spare frame [bees]") && !prompts[0].contains("kites"), "{prompts:?}");
    assert!(of("alone").await.iter().all(|(text, ..)| !text.starts_with("thread of ")));
    let tag_prompts: Vec<String> = sqlx::query_scalar(
        "select c.prompt from calls c join users u on u.id = c.user_id where c.task = 'tag' and u.key = 'p1'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let both = |prompt: &String| prompt.contains("\n1. ") && prompt.contains("\n2. ");
    assert!(!tag_prompts.is_empty() && !tag_prompts.iter().any(both), "one interest a call of tags");
    for prompt in &tag_prompts {
        let with = |text: &str| prompt.contains(text);
        assert!(with("(has: ") && with("blue line") && with("spare frame") && with("large bag"), "{prompt}");
        let (kites, bees) = (with("stand of kites"), with("stand of bees"));
        assert!(
            with("others also use: folding stand") && kites != bees,
            "what goes with this pursuit: {prompt}"
        );
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn no_stored_tag_breaks_a_rule_and_what_did_is_kept_with_its_call(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    bench.generate(&lead, 4).await;
    let tags: Vec<(i64, String, Option<String>)> = sqlx::query_as(
        "select user_id, text, body ->> 'category' from samples where task = 'tag' order by id",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(tags.len() >= 4, "{tags:?}");
    for (user, text, category) in &tags {
        let lower = text.to_lowercase();
        assert!(!lower.contains("smart") && !lower.contains("rillbrook") && !lower.contains("xm4"), "{text}");
        let bought: i64 = sqlx::query_scalar(
            "select count(*) from behaviours b join items i on i.id = b.item_id
             where b.user_id = $1 and lower(i.title) = $2 and b.at > (select max(at) from behaviours where user_id = $1) - interval '20 days'",
        )
        .bind(user)
        .bind(&lower)
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(bought, 0, "{text} is of the past month");
        assert!(category.is_some(), "φ gives each a category");
        let twins =
            tags.iter().filter(|(other, twin, _)| other == user && twin.eq_ignore_ascii_case(text)).count();
        assert_eq!(twins, 1, "{text}");
    }
    let rules: Vec<String> = sqlx::query_scalar(
        "select distinct d -> 'broken' ->> 'rule' from calls, jsonb_array_elements(dropped) d where task = 'tag' order by 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    for rule in ["banned", "brand", "duplicate", "model"] {
        assert!(rules.iter().any(|it| it == rule), "{rule} of {rules:?}");
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_pair_is_explained_once_and_looked_up_without_a_model(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    bench.generate(&lead, 4).await;
    let faults: i64 = bench
        .one("select count(*) from calls where task = 'explanation' and jsonb_array_length(dropped) > 0")
        .await;
    let slogans: i64 =
        bench.one("select count(*) from samples where task = 'explanation' and text ilike '%perfect%'").await;
    assert!(faults > 0 && slogans == 0, "{faults} lines broke a rule, {slogans} of them became samples");
    let request = ExplainRequest { per_tag: 2, limit: 1000, seed: 1 };
    bench.pipeline.build_explanations(&lead, request).await.unwrap();
    bench.drain(&["explain"]).await;
    let rows: i64 = bench.one("select count(*) from item_explanations").await;
    let asked = bench.author.calls();
    bench.pipeline.build_explanations(&lead, request).await.unwrap();
    bench.drain(&["explain"]).await;
    assert_eq!(bench.one::<i64>("select count(*) from item_explanations").await, rows, "nothing twice");
    assert_eq!(bench.author.calls(), asked, "and nothing asked for again");
    assert!(rows > 4, "{rows}");
    let (user, item): (String, String) = sqlx::query_as(
        "select u.key, i.key from item_explanations e join items i on i.id = e.item_id
         join samples s on s.task = 'interest' and lower(s.text) = lower(e.interest) join users u on u.id = s.user_id limit 1",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let found =
        bench.pipeline.explanations(&lead, &user, vec![item.clone(), "no such item".into()]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].item, item);
    assert_eq!(bench.author.calls(), asked, "no model is asked online");
    let other_shelf: i64 = bench
        .one(
            "select count(*) from item_explanations e join items i on i.id = e.item_id
             where e.sample_id is null and not exists (select from samples t where t.task = 'tag' and t.text = e.tag
                and t.body ->> 'category' = array_to_string(i.category, ' > '))",
        )
        .await;
    assert_eq!(other_shelf, 0, "φ pairs a tag with items of its category");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_paused_batch_stands_still_and_a_stopped_one_is_judged_as_far_as_it_came(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    let request = GenerationRequest {
        users: 6,
        interests: 2,
        tags: 4,
        explanations: 1,
        ..GenerationRequest::default()
    };
    let id = bench.work.generate(&lead, request).await.unwrap().id;
    let paused = bench.pipeline.steer(&lead, id, Steer::Pause).await.unwrap();
    assert_eq!((paused.state.as_str(), paused.paused, paused.waiting), ("paused", 6, 0));
    bench.drain(&["generate", "judge"]).await;
    assert_eq!(bench.one::<i64>("select count(*) from calls").await, 0, "nothing runs");
    let hurried = bench.pipeline.steer(&lead, id, Steer::Priority { priority: 15 }).await.unwrap();
    assert_eq!(hurried.priority, 15);
    assert_eq!(
        bench.pipeline.steer(&lead, id, Steer::Priority { priority: 20 }).await.unwrap_err().code(),
        "invalid"
    );
    let resumed = bench.pipeline.steer(&lead, id, Steer::Resume).await.unwrap();
    assert_eq!((resumed.state.as_str(), resumed.waiting), ("running", 6));
    // Two users, and the batch is stopped.
    bench.author.leave(6);
    bench.run_until("select count(*) >= 1 from generation_users where stage = 'done'").await;
    let stopped = bench.pipeline.steer(&lead, id, Steer::Cancel).await.unwrap();
    assert!(stopped.generation.failed > 0 && stopped.generation.users_done >= 1, "{stopped:?}");
    bench.author.leave(usize::MAX);
    bench.drain(&["generate", "judge"]).await;
    assert_eq!(bench.one::<i64>("select count(*) from samples where not judged").await, 0);
    let now = bench.pipeline.batches(&lead, Some(id)).await.unwrap().remove(0);
    assert_eq!((now.waiting, now.running, now.paused), (0, 0, 0), "{now:?}");
    assert!(now.per_hour.is_some_and(|rate| rate > 0.0), "{now:?}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn the_batch_with_the_higher_priority_goes_first(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    let request = |seed, priority| GenerationRequest {
        users: 2,
        interests: 1,
        tags: 2,
        explanations: 0,
        seed,
        priority,
        ..GenerationRequest::default()
    };
    let slow = bench.work.generate(&lead, request(1, 3)).await.unwrap().id;
    let quick = bench.work.generate(&lead, request(2, 12)).await.unwrap().id;
    bench.drain(&["generate"]).await;
    let order: Vec<String> =
        sqlx::query_scalar("select generation_id::text from generation_users order by finished_at")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(order, [quick.to_string(), quick.to_string(), slow.to_string(), slow.to_string()]);
}

#[sqlx::test(migrations = "../../migrations")]
async fn many_workers_that_die_leave_no_sample_twice_and_none_lost(pool: PgPool) {
    let bench = Bench::new(&pool, Author::slow(3)).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    let request = GenerationRequest {
        users: 12,
        interests: 2,
        tags: 4,
        explanations: 2,
        ..GenerationRequest::default()
    };
    bench.work.generate(&lead, request).await.unwrap();
    // Learning the categories is one step that is begun again when it dies; a worker that lives for less never gets past it.
    bench.pipeline.train_phi(&lead, 1).await.unwrap();
    for turn in 0..300_u64 {
        let workers: Vec<_> = (0..4).map(|_| bench.start()).collect();
        tokio::time::sleep(Duration::from_millis(60 + turn * 37 % 240)).await;
        // As if the processes died: nothing of them runs on, their leases run out.
        workers.iter().for_each(tokio::task::JoinHandle::abort);
        for worker in workers {
            let _ = worker.await;
        }
        sqlx::query("update jobs set lease_expires_at = now() - interval '1 second', attempts = least(attempts, 1) where state = 'running'")
            .execute(&pool)
            .await
            .unwrap();
        if bench.one::<bool>("select not exists (select from jobs where kind in ('generate', 'judge') and state in ('queued', 'running'))").await {
            break;
        }
    }
    assert_eq!(bench.one::<i64>("select count(*) from generation_users where stage = 'done'").await, 12);
    assert_eq!(bench.one::<i64>("select count(*) from samples where not judged").await, 0, "none lost");
    let (calls, distinct): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct (user_id, task, seed)) from calls")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(calls, distinct, "no call twice");
    let twice: i64 = bench
        .one("select count(*) from (select from samples group by user_id, task, parent_id, text, item_id having count(*) > 1) t")
        .await;
    assert_eq!(twice, 0, "no sample twice");
}

#[sqlx::test(migrations = "../../migrations")]
async fn personas_selection_and_style_are_off_unless_asked_for_and_keep_every_rule(pool: PgPool) {
    let bench = Bench::new(&pool, Author::default()).await;
    let lead = bench.world.account("lead", Role::Lead).await;
    let calls = async |task: &str| {
        bench.one::<i64>(&format!("select count(*) from calls where task = '{task}'")).await
    };
    bench.generate(&lead, 2).await;
    assert_eq!((calls("persona").await, calls("arbiter").await, calls("style").await), (0, 0, 0));
    let base = GenerationRequest {
        users: 2,
        interests: 2,
        tags: 3,
        explanations: 2,
        seed: 5,
        ..GenerationRequest::default()
    };
    let personas = GenerationRequest { personas: 2, style: true, ..base.clone() };
    bench.work.generate(&lead, personas).await.unwrap();
    bench.drain(&["generate", "judge"]).await;
    assert_eq!((calls("persona").await, calls("style").await), (2, 2));
    let most: i64 = bench
        .one("select coalesce(max(n), 0) from (select count(*) n from samples s join generations g on g.id = s.generation_id
              where s.task = 'tag' and g.settings ->> 'personas' = '2' group by s.user_id) t")
        .await;
    assert!(calls("arbiter").await == 0 || most <= 3, "an arbiter leaves at most as many as were asked for");
    let selection = GenerationRequest { candidates: 3, ..base };
    bench.work.generate(&lead, selection).await.unwrap();
    bench.drain(&["generate", "judge"]).await;
    let of_one_call: i64 = bench
        .one("select coalesce(max(n), 0) from (select count(distinct s.call_id) n from samples s join generations g on g.id = s.generation_id
              where s.task = 'tag' and g.settings ->> 'candidates' = '3' group by s.user_id) t")
        .await;
    assert_eq!(of_one_call, 1, "the tags of one output, and no other's");
    let forbidden: i64 =
        bench.one("select count(*) from samples where task = 'tag' and text ~* 'smart|rillbrook|xm4'").await;
    assert_eq!(forbidden, 0);
}
