//! Windows that an upstream cannot be asked for: what it is asked for instead, and what of its answer is shown.
//!
//! One service counts from an end, another one has pages, a third shows all it has. Which of these an upstream's dialect
//! can say stands in its mapping; what it cannot say is made up for here, or refused where the answer would be another
//! than what was asked for.

mod askable;
mod part;
mod plan;
mod walk;

pub use askable::Askable;
pub use part::End;
pub use walk::Walk;

use super::overlay::LOOKED_THROUGH;
use super::{Ask, Relay};
use crate::model::{Command, List, Outcome, Reply, Time};

/// What a cursor begins with that stands for a message, by its id: of a list whose upstream has no cursors.
pub const BY_ID: &str = "sabir:";

/// Questions that are asked at most to fill one window.
pub const QUESTIONS: i64 = 6;

impl Relay {
    /// A list, in as many questions as it takes.
    pub(super) async fn list(&self, ask: &Ask<'_>, list: &List) -> Outcome {
        let upstream = &self.shared.upstreams[ask.at].config;
        let (askable, numbers) = (
            &self.shared.askable[upstream.dialect],
            &self.shared.ids.numbers,
        );
        let mut ends = [false, true].map(|after| End::of(&list.window, after));
        for end in ends.iter_mut().flatten() {
            let created_at = numbers
                .moment(&upstream.name, &list.channel, &end.id)
                .await?;
            end.second = created_at.map(Time::seconds);
        }
        let mut walk = Walk::new(askable, list, ends)?;
        while let Some(question) = walk.question() {
            match self.ask(ask, &Command::List(question)).await? {
                Reply::Messages(page) => walk.answer(page),
                reply => return Ok(reply),
            }
        }
        walk.shown().map(Reply::Messages)
    }
}
