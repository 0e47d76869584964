//! The pages in a real browser, a file a person's task.

mod smoke;
