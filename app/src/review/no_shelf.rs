//! The server has no browser's shelf: effects never run there.

pub(crate) fn put(_: String, _: String) {}

pub(crate) fn remove(_: String) {}

pub(crate) fn all(_: String, _: impl FnOnce(Vec<String>) + 'static) {}
