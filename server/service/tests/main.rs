//! Use cases against a real database, in one program, so that the models are linked once.

mod acceptance;
mod accounts;
mod adjudications;
mod annotators;
mod audit;
mod audit_log;
mod audited;
mod author;
mod beside;
mod demo;
mod evolve;
mod exports;
mod formats;
mod heads;
mod hostile_input;
mod imported;
mod intake;
mod intake_speed;
mod judges;
mod pipeline;
mod privacy;
mod programme;
mod retrieval;
mod review;
mod scripted;
mod world;
