//! What an operator sees and does: metrics, alerts, logs, traces.

mod alerts;
mod logs;
mod metrics;
mod traces;
