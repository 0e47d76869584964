//! The review programme: who holds which sample, what they answered, and how the review is run. Overlap, one
//! blind answer a person and append-only labels are held by constraints of the schema; these statements only
//! ask in the right order.

mod anchoring;
mod assignments;
mod escalations;
mod gold;
mod labels;
mod linked;
mod log;
mod own;
mod programme;
mod queue;

pub use anchoring::*;
pub use assignments::*;
pub use escalations::*;
pub use gold::*;
pub use labels::*;
pub use linked::*;
pub use log::*;
pub use own::*;
pub use programme::*;
pub use queue::*;
