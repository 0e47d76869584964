//! Small pieces every page shares.

pub(crate) mod estimate;
pub(crate) mod frame;
pub(crate) mod icon;
pub(crate) mod notice;
