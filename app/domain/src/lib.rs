//! The words everyone in Concord shares: ids, samples, rubrics, verdicts, labels, roles, errors.
//!
//! Compiles to wasm. With the feature `server` it also declares what the server implements: the
//! use cases ([`api`]) that pages and REST handlers call, and the model ports ([`ports`]).

mod account;
mod adjudication;
mod annotator;
mod audit;
mod behaviour;
mod credential;
mod error;
#[cfg(feature = "server")]
mod evolve;
mod export;
mod history;
mod ids;
mod judge;
mod judge_head;
mod pipeline;
#[cfg(feature = "server")]
mod privacy;
mod programme;
#[cfg(feature = "server")]
mod recommend;
mod review;
mod role;
#[cfg(feature = "server")]
mod round;
mod rubric;
mod rubric_change;
mod sample;
mod sampling;
#[cfg(feature = "server")]
mod training;
mod webhook;
mod work;

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod ports;

pub use account::*;
pub use adjudication::*;
pub use annotator::*;
pub use audit::*;
pub use behaviour::*;
pub use credential::*;
pub use error::Error;
#[cfg(feature = "server")]
pub use evolve::*;
pub use export::*;
pub use history::*;
pub use ids::*;
pub use judge::*;
pub use judge_head::*;
pub use pipeline::*;
#[cfg(feature = "server")]
pub use privacy::*;
pub use programme::*;
#[cfg(feature = "server")]
pub use recommend::*;
pub use review::*;
pub use role::*;
#[cfg(feature = "server")]
pub use round::*;
pub use rubric::*;
pub use rubric_change::*;
pub use sample::*;
pub use sampling::*;
#[cfg(feature = "server")]
pub use training::*;
pub use webhook::*;
pub use work::*;
