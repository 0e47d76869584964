//! The server over HTTP, a file a part of the address tree; and the rules of the house.

mod architecture;
mod backup;
mod batches;
mod blind;
mod breaks;
mod clock;
mod disk;
mod evolve;
mod faults;
mod killed;
mod log_rounds;
mod operation;
mod programme;
mod projects;
mod roles;
mod sign_in;
mod silent_model;
mod supply_chain;
mod upgrade;
mod webhooks;
mod whole_loop;
