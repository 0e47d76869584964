//! The harness that starts the real server for HTTP and browser tests.
