//! The concord binary: commands, configuration, composition, HTTP, workers.
