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
mod export;
mod history;
mod ids;
mod judge;
mod pipeline;
#[cfg(feature = "server")]
mod privacy;
mod programme;
#[cfg(feature = "server")]
mod recommend;
mod review;
mod role;
mod rubric;
mod rubric_change;
mod sample;
mod sampling;
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
pub use export::*;
pub use history::*;
pub use ids::*;
pub use judge::*;
pub use pipeline::*;
#[cfg(feature = "server")]
pub use privacy::*;
pub use programme::*;
#[cfg(feature = "server")]
pub use recommend::*;
pub use review::*;
pub use role::*;
pub use rubric::*;
pub use rubric_change::*;
pub use sample::*;
pub use sampling::*;
pub use webhook::*;
pub use work::*;
