//! Logs in.
