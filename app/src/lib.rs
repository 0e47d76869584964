//! What people see: pages, components and server functions.
