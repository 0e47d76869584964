//! Towers on a real database: trained, indexed, asked; who may ask; what a recommendation rests on.

use concord_domain::api::Recommend;
use concord_domain::{AccountId, Actor, Error, RecommendRequest, Role};
use concord_retrieval::evaluate::{Fusion, Scheme};
use concord_retrieval::train::{Flow, Trainer};
use concord_retrieval::{ExactIndex, Settings, VectorSearch};
use concord_service::retrieval::{self, Backend, Outside, PgVector, Qdrant, RecommendService};
use sqlx::PgPool;
use std::collections::HashSet;
use uuid::Uuid;

fn actor(role: Role) -> Actor {
    Actor { account: AccountId(Uuid::nil()), email: "x@example.org".into(), role, scopes: None }
}

/// Twenty people, each of whom meets eight of twenty teas or of twenty bolts; somebody who has only tags; somebody new.
async fn world(pool: &PgPool) {
    sqlx::raw_sql(
        "insert into users (key, half) select 'u' || n, 'train' from generate_series(0, 19) n;
         insert into users (key, half) values ('tagged', 'train'), ('new', 'train');
         insert into items (key, title, category)
         select 'i' || n, case when n < 20 then 'green tea ' else 'steel bolt ' end || n,
                array[case when n < 20 then 'tea' else 'bolts' end] from generate_series(0, 39) n;
         insert into behaviours (user_id, kind, item_id, at, reliable)
         select u.id, case when k % 3 = 0 then 'purchase' else 'view' end, i.id, '2026-01-01'::timestamptz + k * interval '1 day', true
         from users u, generate_series(0, 7) k, items i
         where u.key like 'u%' and i.key = 'i' || ((u.id % 2) * 20 + (u.id * 7 + k * 6) % 20)",
    )
    .execute(pool)
    .await
    .expect("the world is written");
}

/// A generation with an interest, a tag and an explanation of one item for this user.
async fn generated(pool: &PgPool, user: &str, item: &str) {
    let sql = "with g as (
             insert into generations (id, seed, settings, model, model_hash, model_family, prompts)
             values (gen_random_uuid(), 1, '{}', 'm', 'h', 'f', 'p') returning id
         ), u as (select id from users where key = $1), one as (
             insert into samples (id, key, task, text, half, user_id, rubric_version, serve_order, generation_id)
             select gen_random_uuid(), 'interest ' || $1, 'interest', 'building', 'train', u.id, '1', 1, g.id from g, u
             returning id, user_id, generation_id
         ), two as (
             insert into samples (id, key, task, text, half, user_id, rubric_version, serve_order, generation_id, parent_id)
             select gen_random_uuid(), 'tag ' || $1, 'tag', 'steel bolt', 'train', user_id, '1', 1, generation_id, id from one
             returning id, user_id, generation_id
         )
         insert into samples (id, key, task, text, half, user_id, rubric_version, serve_order, generation_id, parent_id, item_id)
         select gen_random_uuid(), 'explanation ' || $1, 'explanation', 'holds for good', 'train', user_id, '1', 1,
                generation_id, two.id, i.id
         from two, items i where i.key = $2";
    sqlx::query(sql).bind(user).bind(item).execute(pool).await.expect("a generation");
}

const ASK: Fusion = Fusion { beta: 0.6, scheme: Scheme::Mean, tags: 5, window: 10 };

fn settings() -> Settings {
    Settings {
        embed: 8,
        hidden: 8,
        width: 16,
        batch: 32,
        negatives: 16,
        epochs: 12,
        rate: 0.01,
        temperature: 0.2,
        ..Settings::default()
    }
}

async fn train_and_index(pool: &PgPool) -> (Uuid, retrieval::ModelVectors) {
    let logs = retrieval::read_logs(pool).await.expect("logs");
    let split = retrieval::whole(&logs);
    let (trainer, mut model) = Trainer::new(&logs, &split, settings()).expect("a model");
    trainer.run(&mut model, None, &mut |_, _| Ok(Flow::Go)).expect("it trains");
    let id = retrieval::store_model(pool, &model, ASK, &logs).await.expect("stored");
    let (found, read, stored) = retrieval::newest(pool, false).await.expect("reads").expect("it is there");
    assert!(found == id && stored.ask == ASK && stored.train == settings());
    let vectors = retrieval::vectors(&read, ASK, &logs).expect("vectors");
    retrieval::index(pool, id, &vectors, settings().width).await.expect("indexed");
    (id, vectors)
}

#[sqlx::test(migrations = "../../migrations")]
async fn recommendations_say_what_they_rest_on(pool: PgPool) {
    world(&pool).await;
    let service = RecommendService::new(pool.clone(), Backend::Auto);
    let (lead, request) = (actor(Role::Lead), RecommendRequest { k: Some(5) });
    let refused = service.recommend(&actor(Role::Annotator), "u1", request).await.expect_err("no annotator");
    assert_eq!(refused, Error::Forbidden);
    assert!(service.people(&actor(Role::Annotator)).await.is_err());
    let early = service.recommend(&lead, "u1", request).await.expect_err("nothing is trained");
    assert_eq!(early.code(), "unavailable", "{early}");
    let (id, _) = train_and_index(&pool).await;

    // By behaviour and latest titles.
    let found = service.recommend(&lead, "u1", request).await.expect("recommendations");
    assert_eq!((found.model, found.items.len(), found.asked.tags_from.as_str()), (id, 5, "titles"));
    assert!(found.asked.user_known && found.interests.is_empty());
    let met: Vec<String> = sqlx::query_scalar(
        "select i.key from behaviours b join users u on u.id = b.user_id join items i on i.id = b.item_id where u.key = 'u1'",
    )
    .fetch_all(&pool)
    .await
    .expect("reads");
    assert!(found.items.iter().all(|it| !met.contains(&it.item)), "what was met is not recommended");
    let home = &found.tags[0].text[..5];
    assert!(found.items.iter().all(|it| it.title.starts_with(home)), "{home}: {:?}", found.items);
    assert!(found.items.windows(2).all(|pair| pair[0].score >= pair[1].score));
    for it in &found.items {
        let fused = ASK.beta * it.col.expect("known") + (1.0 - ASK.beta) * it.sem.expect("tagged");
        assert!((fused - it.score).abs() < 1e-4, "{} is not {fused}, whatever the number of tags", it.score);
    }

    // By a written tag: one, so the score is exactly the fused one.
    generated(&pool, "u1", "i39").await;
    let found =
        service.recommend(&lead, "u1", RecommendRequest { k: Some(40) }).await.expect("recommendations");
    assert_eq!((found.asked.tags_from.as_str(), found.tags.len()), ("written", 1));
    assert_eq!(found.tags[0].interest.as_deref(), Some("building"));
    assert_eq!(found.interests[0].text, "building");
    for it in &found.items {
        let fused = ASK.beta * it.col.expect("known") + (1.0 - ASK.beta) * it.sem.expect("tagged");
        assert!((fused - it.score).abs() < 1e-4, "{} is not {fused}", it.score);
        assert_eq!(it.tag, Some(0));
        let explained = it.explanation.as_ref().map(|link| link.text.as_str());
        assert_eq!(explained, (it.item == "i39").then_some("holds for good"));
    }
    assert_eq!(service.people(&lead).await.expect("people"), ["u1"]);

    // Somebody without behaviours is known by tags alone; somebody without anything is not known.
    generated(&pool, "tagged", "i39").await;
    let found = service.recommend(&lead, "tagged", request).await.expect("recommendations");
    assert!(found.items.iter().all(|it| it.title.starts_with("steel")), "{:?}", found.items);
    let unknown = service.recommend(&lead, "new", request).await.expect_err("nothing is known");
    assert!(unknown.code() == "user_unknown" || unknown.code() == "conflict", "{unknown:?}");
    assert_eq!(service.recommend(&lead, "nobody", request).await.expect_err("no such").code(), "not_found");
    for k in [0, 101] {
        let error =
            service.recommend(&lead, "u1", RecommendRequest { k: Some(k) }).await.expect_err("out of range");
        assert!(matches!(error, Error::Invalid { ref field, .. } if field == "k"));
    }
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_model_of_other_logs_is_not_indexed_and_another_model_takes_over_at_once(pool: PgPool) {
    world(&pool).await;
    let service = RecommendService::new(pool.clone(), Backend::Hnsw);
    let (first, _) = train_and_index(&pool).await;
    let (lead, request) = (actor(Role::Lead), RecommendRequest::default());
    assert_eq!(service.recommend(&lead, "u1", request).await.expect("served").model, first);
    let (second, _) = train_and_index(&pool).await;
    assert_eq!(service.recommend(&lead, "u1", request).await.expect("served").model, second);
    sqlx::query("insert into items (key, title) values ('later', 'brass nut')")
        .execute(&pool)
        .await
        .expect("an item");
    let (_, model, stored) = retrieval::newest(&pool, true).await.expect("reads").expect("it is there");
    let logs = retrieval::read_logs(&pool).await.expect("logs");
    let error =
        retrieval::vectors(&model, stored.ask, &logs).err().expect("the logs have changed").to_string();
    assert!(error.contains("run concord retrieve train again"), "{error}");
}

#[sqlx::test(migrations = "../../migrations")]
async fn only_tags_written_without_the_last_day_predict_it(pool: PgPool) {
    world(&pool).await;
    generated(&pool, "u1", "i39").await;
    assert!(
        retrieval::held_out_tags(&pool).await.expect("reads").is_empty(),
        "that run had read the last day"
    );
    generated(&pool, "u2", "i39").await;
    sqlx::raw_sql(
        r#"update generations set settings = '{"hold_out": true}'
           where id = (select generation_id from samples where key = 'tag u2');
           update samples set body = '{"category": "bolts"}' where key = 'tag u2';
           insert into generation_users (generation_id, user_id, history, stage)
           select generation_id, user_id, '{}', 'done' from samples where task = 'tag'"#,
    )
    .execute(&pool)
    .await
    .expect("a run without the last day");
    let found = retrieval::held_out_tags(&pool).await.expect("reads");
    assert_eq!(found.keys().collect::<Vec<_>>(), ["u2"]);
    let tag = &found["u2"][0];
    assert_eq!((tag.text.as_str(), tag.category.as_deref()), ("steel bolt", Some("bolts")));
}

/// What is asked of any search elsewhere: what a scan finds.
async fn finds_what_a_scan_finds(outside: &dyn Outside, pool: &PgPool) {
    world(pool).await;
    let (id, vectors) = train_and_index(pool).await;
    let (ids, values) = &vectors.items;
    outside.put(id, ids, values).await.expect("stored");
    outside.put(id, ids, values).await.expect("again, in place of the first");
    let width = settings().width;
    let mut scan = ExactIndex::new(width);
    ids.iter().zip(values.chunks_exact(width)).for_each(|(id, row)| assert!(scan.add(*id, row)));
    for query in vectors.users.1.chunks_exact(width).take(5) {
        let without: HashSet<i64> =
            scan.nearest(query, 3, &HashSet::new()).iter().map(|hit| hit.item).collect();
        let wanted = scan.nearest(query, 7, &without);
        let found = outside.nearest(id, query, 7, &without).await.expect("found");
        let scores = |hits: &[concord_retrieval::Hit]| hits.iter().map(|hit| hit.score).collect::<Vec<f32>>();
        let (wanted_scores, found_scores) = (scores(&wanted), scores(&found));
        assert_eq!(wanted_scores.len(), found_scores.len());
        let near = wanted_scores.iter().zip(&found_scores).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near, "{wanted_scores:?} {found_scores:?}");
        assert!(found.iter().all(|hit| !without.contains(&hit.item)));
    }
}

/// CONCORD_TEST_PGVECTOR names a PostgreSQL with the extension, which Debian 12 does not have: `make bench retrieve`
/// starts one from the PyPI wheel pgserver and runs this.
#[sqlx::test(migrations = "../../migrations")]
#[ignore = "needs a server with pgvector at CONCORD_TEST_PGVECTOR"]
async fn pgvector_finds_what_a_scan_finds(pool: PgPool) {
    let url = std::env::var("CONCORD_TEST_PGVECTOR").expect("CONCORD_TEST_PGVECTOR");
    let elsewhere = PgPool::connect(&url).await.expect("a server with pgvector");
    finds_what_a_scan_finds(&PgVector::new(elsewhere), &pool).await;
}

/// The same for Qdrant, at CONCORD_TEST_QDRANT.
#[sqlx::test(migrations = "../../migrations")]
#[ignore = "needs Qdrant at CONCORD_TEST_QDRANT"]
async fn qdrant_finds_what_a_scan_finds(pool: PgPool) {
    let url = std::env::var("CONCORD_TEST_QDRANT").expect("CONCORD_TEST_QDRANT");
    finds_what_a_scan_finds(&Qdrant::new(&url, None).expect("a client"), &pool).await;
}
