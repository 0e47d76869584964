//! API bodies, queries and forms that mean harm: whatever is sent, the answer is one of ours, and never a fault.

use super::expected::{Needs, lines};
use super::{App, no_models};
use axum::http::Request;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use concord_domain::Role;
use concord_service::work::WorkService;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgPool;
use std::sync::Arc;

/// What is put in place of a piece of a body.
const PIECES: [&str; 20] = [
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "null",
    "[]",
    "{}",
    "-1",
    "1e999",
    "1e308",
    "9223372036854775808",
    "true",
    "\"=1+1\"",
    "\"<script>\"",
    "\"\\u202e\"",
    "[[[[[[[[[[[[[[[[",
    "\u{7f}",
    "%00",
    "%ff",
    "&",
    "=",
];

fn cases() -> usize {
    std::env::var("CONCORD_SOAK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

/// A body with pieces put over parts of it.
fn mutated(seed: &str, changes: &[(usize, usize, &str)]) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    for (at, length, piece) in changes {
        let at = at % (text.len() + 1);
        let end = (at + length).min(text.len());
        text.splice(at..end, piece.chars());
    }
    text.into_iter().collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn hostile_bodies_and_queries_are_refused_in_our_own_words(pool: PgPool) {
    let app = App::with(pool.clone(), Arc::new(WorkService::new(pool.clone(), no_models())));
    let token = app.token(Role::Admin).await;
    let mut conn = pool.acquire().await.expect("connection");
    for rubric in concord_pipeline::rubrics::shipped().expect("rubrics") {
        concord_store::rubrics::add(&mut conn, &rubric).await.expect("stored");
    }
    drop(conn);
    let routes: Vec<_> = lines()
        .into_iter()
        .filter(|(_, _, query, body, needs)| {
            (!query.is_empty() || !body.is_empty()) && matches!(needs, Needs::May(_))
        })
        .collect();
    let change = (any::<usize>(), 0..12_usize, prop::sample::select(&PIECES[..]));
    let strategy = (prop::sample::select(routes), prop::collection::vec(change, 1..5));
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..cases() {
        let ((method, path, query, body, _), changes) =
            strategy.new_tree(&mut runner).expect("a value").current();
        let nil = "00000000-0000-0000-0000-000000000000";
        let path = path.replace("{id}", nil).replace("{sample}", nil).replace("{task}", "tag");
        let path =
            path.replace("{criterion}", "relevance").replace("{version}", "1.0").replace("{kind}", "users");
        let sent = mutated(body, &changes);
        let query = if body.is_empty() { mutated(query, &changes) } else { query.to_owned() };
        let Ok(address) = format!("{path}?{query}").parse::<axum::http::Uri>() else { continue };
        let kind =
            if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
        let request = Request::builder().method(method).uri(address).header("idempotency-key", "k");
        let request = request.header(AUTHORIZATION, format!("Bearer {token}")).header(CONTENT_TYPE, kind);
        let answer = app.send(request.header(ACCEPT, "application/json"), sent.clone()).await;
        let status = answer.status.as_u16();
        // No models here, so what would begin work is unavailable.
        let ours = status < 500 || status == 503;
        let said = String::from_utf8_lossy(&answer.body);
        assert!(ours, "{method} {path}?{query} {sent:?}: {status} {said}");
    }
}
