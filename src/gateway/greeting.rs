//! Who is calling, and may they call by now: the first thing that is found out of a request, in one place.
//!
//! Each way into the gateway passes here, so that no way is open to whoever guesses. What a caller may do is decided
//! later, when it is known what it wants.

use super::guard::{Guess, Who, network};
use super::{Gateway, Rules};
use crate::auth::Caller;
use crate::model::{App, Command, Credential, Envelope, Fault, Kind, Outcome, Time};

impl Gateway {
    /// Understands what a request proves.
    ///
    /// # Errors
    /// A proof was given that proves nothing, or too many were.
    pub(super) fn greet(
        &self,
        app: &App,
        credential: &Credential,
        address: &str,
        now: Time,
    ) -> Result<(Caller, Guess), Fault> {
        let Rules {
            auth,
            guard,
            limits,
            ..
        } = &*self.rules;
        let guess = guard.guess(app, credential, address);
        guard.may_guess(limits, guess, now)?;
        let fault = match auth.identify(app, credential, now) {
            Ok(caller) => return Ok((caller, guess)),
            Err(fault) => fault,
        };
        if !credential.client_secret.0.is_empty() {
            guard.guessed(limits, guess, false, now);
        }
        let proofs = [&credential.session, &credential.token, &credential.secret];
        Err(if proofs.iter().any(|proof| !proof.0.is_empty()) {
            guard.unknown(limits, fault, address, now)
        } else {
            fault
        })
    }

    /// Remembers what became of the guesses that a request made.
    pub(super) fn learn(&self, command: &Command, guess: Guess, outcome: &Outcome, now: Time) {
        let right = match (outcome, command) {
            (Ok(_), _) => true,
            (Err(fault), _) if fault.kind.is(Kind::Credentials) => false,
            // The licence is right, and the password of its account is not.
            (Err(fault), Command::Register(_)) if fault.kind == Kind::Conflict => false,
            // Whatever it was, no secret was wrong.
            _ => return,
        };
        let Rules { guard, limits, .. } = &*self.rules;
        guard.guessed(limits, guess, right, now);
    }

    /// Takes a request off its caller's rate, once.
    ///
    /// # Errors
    /// `too_fast`.
    pub(super) fn take_place(
        &self,
        caller: Option<&Caller>,
        envelope: &mut Envelope,
        now: Time,
    ) -> Result<(), Fault> {
        let Rules { guard, limits, .. } = &*self.rules;
        if limits.rate_per_s == 0 || std::mem::replace(&mut envelope.counted, true) {
            return Ok(());
        }
        let principal = caller.and_then(|caller| caller.principal.as_ref());
        let who = match principal {
            Some(known) if known.account.is_some() => Who::Person(&known.name),
            // A program that shows no more than its public id is nobody in particular.
            Some(known) if !known.person.id.is_empty() => Who::Program(&known.name),
            _ => Who::Address(network(&envelope.arrival.client_ip)),
        };
        guard.turn(limits, who, now)
    }
}
