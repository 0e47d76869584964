//! Users, items and behaviours as the rest of Concord reads them.

use concord_store::{behaviours, items, users};
use futures::TryStreamExt;
use sqlx::PgPool;

async fn log(pool: &PgPool) {
    sqlx::raw_sql(
        "insert into users (key, half) select 'u' || n, concord_half('u' || n) from generate_series(1, 20) n;
         insert into items (key, title, category) select 'i' || n, 'Title ' || n, '{All,Shelf}' from generate_series(1, 5) n;
         insert into items (key) values ('untitled');
         insert into behaviours (user_id, kind, item_id, at, reliable)
         select u.id, 'cart', i.id, '2026-01-01'::timestamptz + i.id * interval '1 day', i.id <> 1
         from users u, items i where u.id <= 10 and i.title is not null",
    )
    .execute(pool)
    .await
    .expect("the log is written");
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_draw_is_fixed_by_its_seed(pool: PgPool) {
    log(&pool).await;
    let mut conn = pool.acquire().await.expect("connects");
    let one = users::pick_for_generation(&mut conn, 3, 1, 4).await.expect("draws");
    assert_eq!(one, users::pick_for_generation(&mut conn, 3, 1, 4).await.expect("draws"));
    assert_ne!(one, users::pick_for_generation(&mut conn, 3, 2, 4).await.expect("draws"));
    assert_eq!(users::pick_for_generation(&mut conn, 50, 1, 4).await.expect("draws").len(), 10);
    assert_eq!(
        users::pick_for_generation(&mut conn, 50, 1, 5).await.expect("draws").len(),
        0,
        "4 are reliable"
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_history_is_reliable_and_newest_first(pool: PgPool) {
    log(&pool).await;
    let mut conn = pool.acquire().await.expect("connects");
    let user = users::by_key(&mut conn, "u1").await.expect("reads").expect("is there");
    let history = behaviours::history(&mut conn, user.id, 3).await.expect("reads");
    let items: Vec<i64> = history.iter().filter_map(|event| Some(event.item.as_ref()?.id)).collect();
    assert_eq!(items, [5, 4, 3]);
    let counts = behaviours::counts(&mut conn, user.id).await.expect("counts");
    assert_eq!((counts.all, counts.reliable), (5, 4));
    assert_eq!(behaviours::newest(&mut conn, user.id).await.expect("reads"), history[0].at);
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_changed_title_is_embedded_again(pool: PgPool) {
    log(&pool).await;
    let mut conn = pool.acquire().await.expect("connects");
    let missing = items::without_embedding(&mut conn, "e5", 100).await.expect("reads");
    assert_eq!(missing.len(), 5, "an item without a title has nothing to embed");
    assert_eq!(missing[0].1, "Title 1, Shelf");
    let vectors: Vec<(i64, String, Vec<f32>)> =
        missing.into_iter().map(|(id, text)| (id, text, vec![0.5, -1.25])).collect();
    items::put_embeddings(&mut conn, "e5", &vectors).await.expect("stores");
    assert_eq!(items::without_embedding(&mut conn, "e5", 100).await.expect("reads"), []);
    let stored: Vec<(i64, Vec<f32>)> =
        items::all_embeddings(&mut conn, "e5").try_collect().await.expect("streams");
    assert_eq!(stored[4], (5, vec![0.5, -1.25]));
    sqlx::query("update items set title = 'New' where id = 2").execute(&mut *conn).await.expect("writes");
    assert_eq!(
        items::without_embedding(&mut conn, "e5", 100).await.expect("reads"),
        [(2, "New, Shelf".to_owned())]
    );
}

#[sqlx::test(migrations = "../../migrations")]
async fn a_behaviour_cannot_name_what_does_not_exist(pool: PgPool) {
    log(&pool).await;
    let refused = async |sql: &'static str| {
        let error = sqlx::query(sql).execute(&pool).await.expect_err("is refused");
        error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
    };
    let foreign_key = Some("23503".to_owned());
    assert_eq!(
        refused("insert into behaviours (user_id, kind, item_id, reliable) values (1, 'cart', 99, true)")
            .await,
        foreign_key
    );
    assert_eq!(
        refused("insert into behaviours (user_id, kind, query, reliable) values (99, 'search', 'q', true)")
            .await,
        foreign_key
    );
    assert_eq!(refused("delete from items where id = 1").await, foreign_key);
    assert_eq!(refused("delete from users where id = 1").await, foreign_key);
}

#[sqlx::test(migrations = "../../migrations")]
async fn ids_made_by_the_thousand_are_in_the_order_of_time(pool: PgPool) {
    let mut conn = pool.acquire().await.expect("connects");
    let mut newest = uuid::Uuid::nil();
    for _ in 0..5 {
        let ids: Vec<uuid::Uuid> =
            sqlx::query_scalar("select concord_uuid_v7() from generate_series(1, 1000) order by 1")
                .fetch_all(&mut *conn)
                .await
                .expect("makes them");
        assert!(newest < ids[0], "{newest} was made before {}", ids[0]);
        newest = ids[999];
        let own = uuid::Uuid::now_v7();
        assert!(newest < own, "{newest} was made before {own}, the program's");
        for id in &ids {
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        }
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 1000);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}
