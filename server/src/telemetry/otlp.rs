//! Spans to an OpenTelemetry collector: OTLP over HTTP in its JSON encoding, in batches, from a thread of its own.
//!
//! The OpenTelemetry SDK does this and much more; it adds nine crates and changes the features of others, for
//! which half the workspace is built anew. What Concord sends is these few fields.

use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Spans that wait to be sent; more are dropped rather than slow anybody down.
const QUEUE: usize = 4096;
/// Spans a request at most, and how long the first one waits for others.
const BATCH: usize = 512;
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A span that is open.
struct Open {
    name: String,
    trace: u128,
    id: u64,
    parent: Option<u64>,
    began: u128,
    attributes: Vec<Value>,
}

/// A layer that gives closed spans to the exporter.
pub(super) struct Spans(SyncSender<Value>);

/// The thread that sends; dropping it sends the rest.
#[derive(Debug)]
pub(super) struct Exporter {
    stop: SyncSender<Value>,
    thread: Option<JoinHandle<()>>,
}

/// Begins to send spans to `{endpoint}/v1/traces`.
pub(super) fn start(endpoint: &str) -> (Spans, Exporter) {
    let (sender, receiver) = sync_channel(QUEUE);
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let thread =
        std::thread::Builder::new().name("traces".into()).spawn(move || send_all(&url, &receiver)).ok();
    (Spans(sender.clone()), Exporter { stop: sender, thread })
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // The layer lives as long as the process: an empty value is the end.
        if self.stop.send(Value::Null).is_ok()
            && let Some(thread) = self.thread.take()
        {
            thread.join().ok();
        }
    }
}

fn send_all(url: &str, spans: &Receiver<Value>) {
    concord_inference::install_tls_provider();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let Ok(client) = reqwest::Client::builder().timeout(TIMEOUT).build() else { return };
    let mut told = false;
    loop {
        let (batch, ended) = collect(spans);
        if !batch.is_empty() {
            let body = request(batch);
            let sent =
                runtime.block_on(async { client.post(url).json(&body).send().await?.error_for_status() });
            // Once: a collector that is away for the night should not fill the log.
            if let (Err(error), false) = (&sent, told) {
                tracing::warn!(%error, "traces are not taken by the collector");
            }
            told = sent.is_err();
        }
        if ended {
            return;
        }
    }
}

/// The next batch, and whether it is the last.
fn collect(spans: &Receiver<Value>) -> (Vec<Value>, bool) {
    let mut batch = Vec::new();
    let mut until = None;
    while batch.len() < BATCH {
        let next = match until {
            None => spans.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => spans.recv_timeout(Instant::saturating_duration_since(&until, Instant::now())),
        };
        match next {
            Ok(Value::Null) | Err(RecvTimeoutError::Disconnected) => return (batch, true),
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout) => break,
        }
        until.get_or_insert_with(|| Instant::now() + PATIENCE);
    }
    (batch, false)
}

fn request(spans: Vec<Value>) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "concord"), text("service.version", env!("CARGO_PKG_VERSION"))]},
        "scopeSpans": [{"scope": {"name": "concord"}, "spans": spans}],
    }]})
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent =
            span.parent().and_then(|it| it.extensions().get::<Open>().map(|open| (open.trace, open.id)));
        let mut open = Open {
            name: attributes.metadata().name().to_owned(),
            trace: parent.map_or_else(rand::random, |(trace, _)| trace),
            id: rand::random(),
            parent: parent.map(|(_, id)| id),
            began: now(),
            attributes: Vec::new(),
        };
        attributes.record(&mut open);
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(open);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(open) = context.span(&id).and_then(|span| span.extensions_mut().remove::<Open>()) else {
            return;
        };
        let parent = open.parent.map(|id| format!("{id:016x}")).unwrap_or_default();
        // 2 is a server's span, 1 an inner one.
        let kind = if open.parent.is_none() && open.name.contains('/') { 2 } else { 1 };
        // A full queue: the span is lost, nobody waits.
        let _ = self.0.try_send(json!({
            "traceId": format!("{:032x}", open.trace),
            "spanId": format!("{:016x}", open.id),
            "parentSpanId": parent,
            "name": open.name,
            "kind": kind,
            "startTimeUnixNano": open.began.to_string(),
            "endTimeUnixNano": now().to_string(),
            "attributes": open.attributes,
        }));
    }
}

impl Visit for Open {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.name" => value.clone_into(&mut self.name),
            name => self.attributes.push(text(name, value)),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // Whole numbers are strings in OTLP's JSON.
        self.attributes.push(json!({"key": field.name(), "value": {"intValue": value.to_string()}}));
    }
}
