//! Traces go to the collector that is named, over OTLP, and to none otherwise.

use concord_tests::TestServer;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request with 200 and keeps what was sent.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    kept.lock().expect("the lock").extend_from_slice(&buffer[..n]);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                }
            });
        }
    });
    (address, received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_span_with_its_route_and_nothing_personal() {
    let (address, received) = collector().await;
    let mut server =
        TestServer::start_with(&[("CONCORD_WORKERS", "0"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]).await;
    let admin = server.account("zqplant@example.org", "admin").await;
    assert_eq!(server.get(&admin, "/api/v1/samples?text=zqplant").await.status(), 200);
    // The last spans go out when the server ends.
    assert!(tokio::task::spawn_blocking(move || server.stop()).await.expect("not cancelled"));
    let bytes = received.lock().expect("the lock").clone();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("POST /v1/traces"), "{text}");
    assert!(text.contains("GET /api/v1/samples") && text.contains("concord"), "{text}");
    assert!(!text.contains("zqplant"), "{text}");
}
