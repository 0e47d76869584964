//! The review programme: who holds which sample, what they answered, and how the review is run. Overlap, one
//! blind answer a person and append-only labels are held by constraints of the schema; these statements only
//! ask in the right order.

mod assignments;
mod gold;
mod labels;
mod log;
mod programme;
mod queue;

pub use assignments::*;
pub use gold::*;
pub use labels::*;
pub use log::*;
pub use programme::*;
pub use queue::*;
