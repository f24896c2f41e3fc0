//! The way out: one attempt at an upstream, and everything that decides whether there is another.

mod link;
pub mod upstream;
