//! The server over HTTP, a file a part of the address tree; and the rules of the house.

mod architecture;
mod blind;
mod faults;
mod webhooks;
mod whole_loop;
