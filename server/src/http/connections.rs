//! Connections: taken, answered, and let go. A client that is slow to say what it wants is not waited for.

use super::DEADLINE;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a client may take for the head of a request, and how long it may keep a connection without one. A proxy
/// that keeps connections must let go of them sooner, or it finds one closed as it sends.
const HEAD: Duration = Duration::from_secs(75);

/// Answers on `listener` until `stop`, and for `drain` longer, in which `/readyz` sends new clients elsewhere; then
/// lets running requests end, for as long as a request may take.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, drain: Duration) {
    serve_heads_within(HEAD, listener, router, stop, drain).await;
}

async fn serve_heads_within(
    head: Duration,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    drain: Duration,
) {
    let closing = CancellationToken::new();
    let mut open = JoinSet::new();
    let last = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::pin!(last);
    loop {
        tokio::select! {
            () = &mut last => break,
            // Connections that have ended are forgotten.
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    open.spawn(answer(head, stream, peer, router.clone(), closing.clone()));
                }
                Err(error) => {
                    // Mostly no file handle is left: some come free as connections end.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
    drop(listener);
    closing.cancel();
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(DEADLINE, ended).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

/// Answers one connection; at `closing`, ends it after the request at hand.
async fn answer(
    head: Duration,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    closing: CancellationToken,
) {
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    // Small answers go out at once, not with the next.
    stream.set_nodelay(true).ok();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // A client that went away, or never said what it wanted: no fault of ours.
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_client_that_never_ends_its_headers_is_cut_off_and_keeps_nobody_waiting() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(async || "here"));
        let head = Duration::from_millis(500);
        let server = tokio::spawn(serve_heads_within(head, listener, router, stop.clone(), Duration::ZERO));

        let began = Instant::now();
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        let mut slow = TcpStream::connect(address).await.expect("a connection");
        slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.expect("sent");
        let drip = tokio::spawn(async move {
            // A byte now and then does not buy more time.
            while slow.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut quick = TcpStream::connect(address).await.expect("a connection");
        quick.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("sent");
        let mut text = String::new();
        quick.read_to_string(&mut text).await.expect("an answer");
        assert!(text.ends_with("here"), "{text}");

        let mut rest = Vec::new();
        let cut = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut rest)).await;
        assert!(cut.is_ok(), "a silent connection is closed");
        let cut = tokio::time::timeout(Duration::from_secs(20), drip).await;
        assert!(cut.is_ok(), "a slow one too");
        assert!(began.elapsed() >= head, "not before its time");
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), server).await.expect("it ends").expect("well");
    }
}
