//! The review workspace: one decision after the other, blind first.
//!
//! [`state`] is the pure reducer, [`keys`] maps presses to commands, [`draft`] keeps what a closed
//! tab must not lose, on the [`shelf`], [`desk`] carries out what the reducer asks for, the rest are views.

mod bar;
mod criteria;
mod desk;
mod dialogs;
mod draft;
mod keys;
mod sample;
#[cfg_attr(not(target_arch = "wasm32"), path = "review/no_shelf.rs")]
mod shelf;
mod state;
mod user;
mod workspace;

pub(crate) use sample::SampleZone;
pub(crate) use user::UserZone;
pub(crate) use workspace::Workspace;
