//! Sends that are more than one command: several in order, and one that is repeated under its key.
//!
//! What a key stands for is kept in the journal before anything is sent. Ids that become an upstream's own marks of a
//! message are made here, so that no two messages ever have the same. Before this stands the gateway's choice of what
//! is asked; each single message is carried out by it like any other command.

use std::borrow::Cow;

use super::{Asked, Gateway};
use crate::model::{Arrival, Command, Kind, Message, Messages, Outcome, Reply, Text};
use crate::relay::{Claimed, upstream_key};

impl Gateway {
    /// A send with an idempotency key: it happens once, and a repetition comes to the same.
    pub(super) async fn once(&self, asked: &Asked<'_>) -> Outcome {
        let (shared, command) = (&self.relay.shared, &asked.envelope.command);
        let key = &asked.envelope.arrival.key;
        let ticket = match shared
            .claim(&asked.scope(), key, command, asked.now)
            .await?
        {
            Claimed::Before(outcome) => return *outcome,
            Claimed::Fresh(ticket) => ticket,
        };
        let outcome = match command {
            Command::SendMany(many) => self.many(asked, &many.sends).await,
            command => self.one(asked, Box::new(command.clone())).await,
        };
        shared.settle(ticket, &outcome).await;
        outcome
    }

    /// Several messages in order. All are checked before the first is sent, so that no mistake that was there to see
    /// leaves half of them done; what fails later says how many had been sent, and is not to be tried again unseen.
    pub(super) async fn many(&self, asked: &Asked<'_>, sends: &[Message]) -> Outcome {
        for message in sends {
            self.locate(asked, Box::new(Command::Send(message.clone())))
                .await?;
        }
        let mut messages = Vec::new();
        for (part, message) in sends.iter().enumerate() {
            let asked = &Asked { part, ..*asked };
            match self
                .one(asked, Box::new(Command::Send(message.clone())))
                .await
            {
                Ok(Reply::OneMessage(one)) => messages.push(*one.message),
                Ok(_) => {}
                Err(mut fault) => {
                    if part > 0 {
                        let all = sends.len();
                        fault.kind = Kind::OutcomeUnknown;
                        fault.details.message =
                            format!("{} ({part} of {all} were sent)", fault.details.message).into();
                    }
                    return Err(fault);
                }
            }
        }
        Ok(Reply::Messages(Messages {
            messages,
            window: Box::default(),
        }))
    }
}

impl Asked<'_> {
    /// Whose idempotency keys these are: nobody's key is another's.
    fn scope(&self) -> Text {
        let (dialect, who) = (&self.envelope.dialect, self.principal.signature());
        format!("{dialect}\n{who}\n{}", self.application).into()
    }

    /// The arrival as an upstream may see it. Its ids become the upstream's own marks of a message, so each message of
    /// a request has another, and clients that chose the same key have not.
    pub(super) fn arrival(&self) -> Cow<'_, Arrival> {
        let arrival = &self.envelope.arrival;
        if self.part == 0 && arrival.key.is_empty() {
            return Cow::Borrowed(arrival);
        }
        let mut arrival = arrival.clone();
        if self.part > 0 {
            arrival.id = format!("{}-{}", arrival.id, self.part).into();
        }
        if !arrival.key.is_empty() {
            arrival.key = upstream_key(&self.scope(), &arrival.key, self.part);
        }
        Cow::Owned(arrival)
    }
}
