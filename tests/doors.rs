//! Every dialect's door, side by side: who may do what, what is closed, and who is turned away must not depend on the
//! dialect in which it is asked.

mod support;

#[path = "doors/clients.rs"]
mod clients;
#[path = "doors/limits.rs"]
mod limits;
#[path = "doors/matrix.rs"]
mod matrix;
