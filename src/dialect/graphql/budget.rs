//! What one request may take to answer, however many documents it has and whatever they ask for.
//!
//! A document is small beside what it can ask for: lists stand in lists, a schema tells of itself in rounds, a variable
//! is filled in at many places. Each of these draws on its part here, and what is used up is an error.

use std::cell::Cell;

/// What is left. A new one has everything.
#[derive(Debug)]
pub struct Budget {
    /// Fields that are looked at.
    steps: Cell<usize>,
    /// Commands that are carried out.
    calls: Cell<usize>,
    /// Bytes of answers.
    bytes: Cell<usize>,
    /// Things of a schema that are told; all of Glimesh's are a few thousand.
    told: Cell<usize>,
    /// Bytes that are filled in for variables.
    filled: Cell<usize>,
}

/// To find what became of a field's command takes as long as so many other fields.
const LOOKUP_STEPS: usize = 8;

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            steps: Cell::new(200_000),
            calls: Cell::new(200),
            bytes: Cell::new(4 << 20),
            told: Cell::new(20_000),
            filled: Cell::new(1 << 20),
        }
    }
}

/// Takes so much, or all that is left: then false.
fn take(left: &Cell<usize>, amount: usize) -> bool {
    let before = left.get();
    left.set(before.saturating_sub(amount));
    before >= amount
}

impl Budget {
    pub fn steps(&self, fields: usize) -> bool {
        take(&self.steps, fields)
    }

    pub fn look_up(&self) -> bool {
        take(&self.steps, LOOKUP_STEPS)
    }

    pub fn tell(&self) -> bool {
        take(&self.told, 1)
    }

    pub fn fill(&self, bytes: usize) -> bool {
        take(&self.filled, bytes)
    }

    /// How many commands may still be carried out.
    pub fn calls(&self) -> usize {
        self.calls.get()
    }

    pub fn call(&self, count: usize) -> bool {
        take(&self.calls, count)
    }

    /// How many bytes may still be answered.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    pub fn answer(&self, bytes: usize) -> bool {
        take(&self.bytes, bytes)
    }
}
