//! Builds the browser's half into target/site.
