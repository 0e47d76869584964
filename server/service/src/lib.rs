//! The use cases, a file a stage of the loop. Each method authorises first, owns its transaction and
//! records what happened; SQL lives in the store, arithmetic in the pure crates.

pub mod intake;
