//! Where clients come in: connections first, then the exchange of bytes for the model's words.

pub mod arrival;
mod body;
pub mod capacity;
mod coding;
mod connection;
pub mod exchange;
mod floor;
pub mod http1;
mod http2;
pub mod listener;
mod request;
mod rescue;
mod screen;
mod turn;
mod vitals;
