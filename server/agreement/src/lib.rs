//! Agreement statistics, pure.
