//! `/metrics`: who may read it, and that what happens is counted.

use concord_tests::TestServer;
use serde_json::json;

/// The value of a series in the text format.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn without_a_token_only_this_machine_reads_the_metrics() {
    let server = TestServer::start().await;
    let admin = server.account("admin@example.org", "admin").await;
    let client = server.client();
    let get = |header: Option<(&'static str, &'static str)>| {
        let request = client.get(server.url("/metrics"));
        let request = header.into_iter().fold(request, |it, (name, value)| it.header(name, value));
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    assert_eq!(get(None).await, 200);
    assert_eq!(get(Some(("x-forwarded-for", "192.0.2.7"))).await, 401, "through a proxy");
    assert_eq!(get(Some(("host", "concord.example.org"))).await, 401, "by another name");

    server.post(&admin, "/api/v1/queue/next", &json!({"count": 1})).await;
    let text =
        client.get(server.url("/metrics")).send().await.expect("an answer").text().await.expect("text");
    let next = r#"{method="POST",route="/api/v1/queue/next""#;
    let of_project = r#"{project="default",method="POST",route="/api/v1/queue/next""#;
    assert_eq!(
        value(&text, &format!("concord_http_answers_total{of_project},status=\"204\"}}")),
        Some(1.0),
        "{text}"
    );
    assert_eq!(value(&text, &format!("concord_http_request_seconds_count{next}}}")), Some(1.0));
    assert_eq!(value(&text, "concord_database_up{project=\"default\"}"), Some(1.0));
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn with_a_token_nobody_else_reads_them() {
    let server =
        TestServer::start_with(&[("CONCORD_WORKERS", "0"), ("CONCORD_METRICS_TOKEN", "scrape")]).await;
    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some("scrape"), 200)] {
        let request = server.client().get(server.url("/metrics"));
        let request = token.into_iter().fold(request, |it, token| it.bearer_auth(token));
        assert_eq!(request.send().await.expect("an answer").status().as_u16(), status, "{token:?}");
    }
}
