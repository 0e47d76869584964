//! The use cases, a file a stage of the loop.
