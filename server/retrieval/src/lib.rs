//! Finding items for tags.
