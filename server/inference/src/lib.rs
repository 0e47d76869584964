//! Models: generation, verdict scoring and embeddings, in process or remote.
//!
//! A model of the catalogue runs on a thread of its own with a bounded queue. Opening one reads
//! nothing: its files are checked against their hashes and loaded when the first request comes.

mod cache;
mod candle;
mod catalogue;
mod closing;
mod decode;
mod engine;
mod gguf;
mod grammar;
mod model;
mod queue;
mod sampler;
mod schema;
mod verify;
mod vocabulary;
mod worker;

pub use candle::CandleModel;
pub use catalogue::{Arch, Catalogue, CatalogueError, Entry, File, Hub, Part, Role, Verification};
pub use worker::Options;
