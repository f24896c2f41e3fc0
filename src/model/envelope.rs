//! What travels with a command: ids, arrival time, who calls, and the facts of the dialect it came in.
//!
//! Filled at the edge and read all the way down. What proves a caller's identity is a record of its own, so that no
//! template can mistake it for a field of a message.

use std::time::Instant;

use super::command::Command;
use super::presence::Presence;
use super::record::{Secret, Text, Time, record};

record! {
    /// What the edge knows of a request. Ids and wall-clock time enter here and nowhere else.
    Arrival {
        /// The request's id, unique for ever.
        id: Text,
        now: Option<Time>,
        /// A value for the reply to carry so that it cannot be taken for another reply.
        nonce: Text,
        /// The idempotency key that the client gave.
        key: Text,
        client_ip: Text,
        /// The address that the client used, scheme and host.
        host: Text,
        /// The path and the query that the client asked for.
        target: Text,
    }

    /// The program that calls, as the request names it and the configuration knows it.
    App {
        name: Text,
        ownerid: Text,
        version: Text,
        /// Where the program's users manage their accounts.
        link: Text,
        /// Where a newer version of the program is.
        download: Text,
        /// This program's version reads message times as text.
        text_time: Option<bool>,
    }

    /// What a request proves its caller with. Never a field of a message.
    Credential {
        token: Secret,
        session: Secret,
        username: Secret,
        email: Secret,
        password: Secret,
        license: Secret,
        secret: Secret,
        client_id: Secret,
        client_secret: Secret,
        refresh_token: Secret,
        code: Secret,
        /// A second factor.
        one_time: Secret,
    }
}

/// What a server and its client both know, to seal replies with.
#[derive(Clone, Debug, Default)]
pub struct SealKeys {
    /// The application's secret, never sent.
    pub application: Secret,
    /// What the client brought when it opened its session; empty if it brought nothing.
    pub session: Secret,
}

/// A command with what travels with it.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The dialect that the client speaks, by its index among the loaded ones and by name.
    pub dialect: Text,
    pub arrival: Arrival,
    pub app: App,
    pub credential: Credential,
    /// When the request was had whole. From here its deadline counts, however many commands it has.
    pub begun: Instant,
    /// Whether the client still waits for what comes of it.
    pub client: Presence,
    /// It has been taken off its caller's rate.
    pub counted: bool,
    pub command: Command,
}
