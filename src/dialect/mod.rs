//! Dialects: how each chat API speaks, as data. Pure: values in, values out.
//!
//! A mapping file is compiled by [`mapping`] into a [`Dialect`]; [`server`] uses it to understand requests and render
//! replies, [`client`] to make requests and understand replies. No socket, clock or log is touched here.

pub mod builtin;
pub mod client;
pub mod codec;
pub mod directory;
pub mod escape;
pub mod exchange;
pub mod fields;
pub mod graphql;
pub mod headers;
pub mod mapping;
mod multipart;
mod query;
pub mod read;
pub mod seal;
pub mod server;
pub mod tape;
pub mod template;
pub mod wire;
pub mod write;

pub use exchange::Dialect;
