//! Every line of SQL, a file an aggregate.
