//! What is found wrong while the configuration is read, in the file and in the environment at once.
//!
//! The readers of the parts share one `Notes` and go on after each problem; nothing is told before all is read.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use crate::diagnose::Problems;

/// Where something stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub origin: Origin,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    File,
    Environment,
}

impl Place {
    pub fn of(origin: Origin, span: Range<usize>) -> Place {
        Place {
            origin,
            start: span.start,
            end: span.end,
        }
    }

    pub fn in_file(span: Range<usize>) -> Place {
        Place::of(Origin::File, span)
    }

    fn span(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub value: T,
    pub place: Place,
}

pub struct Notes {
    file: RefCell<Problems>,
    environment: RefCell<Problems>,
    warnings: RefCell<Vec<String>>,
    muted: Cell<bool>,
}

impl Notes {
    pub fn new(file: Problems, environment: Problems) -> Notes {
        Notes {
            file: RefCell::new(file),
            environment: RefCell::new(environment),
            warnings: RefCell::default(),
            muted: Cell::new(false),
        }
    }

    pub fn at(&self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        if !self.muted.get() {
            self.problems(place)
                .borrow_mut()
                .at(place.span(), message, help);
        }
    }

    /// Something to tell the operator that does not keep Sabir from starting.
    pub fn warn(&self, place: Place, message: &str) {
        let line = format!("{}: {message}", self.name(place));
        self.warnings.borrow_mut().push(line);
    }

    /// No report may show what stands here.
    pub fn hide(&self, place: Place) {
        self.problems(place).borrow_mut().hide(place.span());
    }

    /// The place in words: `sabir.toml:3:7`.
    pub fn name(&self, place: Place) -> String {
        self.problems(place).borrow().place(place.start)
    }

    /// Of a text that could only be read in part, nothing more is told: the rest would be guesses. It is still read,
    /// to learn which parts of it are secrets.
    pub fn mute_if_any(&self) {
        self.muted.set(!self.file.borrow().is_empty());
    }

    /// The warnings, if there was no problem.
    ///
    /// # Errors
    /// The problems, those of the file first.
    pub fn finish(self) -> Result<Vec<String>, Vec<Problems>> {
        let file = self.file.into_inner().finish(());
        let environment = self.environment.into_inner().finish(());
        let found: Vec<Problems> = [file, environment]
            .into_iter()
            .filter_map(Result::err)
            .collect();
        if found.is_empty() {
            Ok(self.warnings.into_inner())
        } else {
            Err(found)
        }
    }

    fn problems(&self, place: Place) -> &RefCell<Problems> {
        match place.origin {
            Origin::File => &self.file,
            Origin::Environment => &self.environment,
        }
    }
}
