//! What travels with a command: ids, arrival time, who calls, and the facts of the dialect it came in.

use super::command::Command;
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

/// A command with what travels with it.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The dialect that the client speaks, by its index among the loaded ones and by name.
    pub dialect: Text,
    pub arrival: Arrival,
    pub app: App,
    pub credential: Credential,
    pub command: Command,
}
