//! The command that a field means: its arguments read into it, what they lack taken from its parent's record.
//!
//! An argument is read as any request's field is, from a tape of the values that the document gives. What a field has
//! no argument for, its parent's record fills in.

use super::Entry;
use super::plan::Node;
use super::run::Run;
use crate::dialect::read::{Field, Miss, Reader};
use crate::dialect::tape::{Kind as Found, Tape};
use crate::dialect::template::{Scope, Target};
use crate::model::{Command, Fault, Kind, Window};

impl<'s> Run<'s> {
    /// The command that a field means; what its arguments lack is the parent's, if that is a record.
    pub(super) fn command(
        &self,
        node: &'s Node,
        entry: &Entry,
        parent: Option<&Scope<'_>>,
    ) -> Result<Box<Command>, Fault> {
        let mut command = Box::new(entry.operation.command());
        if let Some(scope) = parent {
            for (target, source) in &entry.from {
                // The loader has checked that one fits the other.
                let _ = command.slot_mut().set(&target.path, scope.value(source));
            }
        }
        let tape = self.arguments(node);
        let root = tape.and_then(Tape::root);
        if let Some(template) = &entry.arguments {
            let mut target = Target::new(command.slot_mut());
            let field = root.map(|at| Field { at, textual: false });
            Reader::new(&self.dialect.shapes, true)
                .read(template, field, &mut target)
                .map_err(missed)?;
        }
        for (source, given) in &entry.given {
            let _ = command.slot_mut().set(&source.path, given.value());
        }
        let null_last = root.is_some_and(|at| {
            at.member("last")
                .is_some_and(|last| last.kind() == Found::Null)
        });
        if let Some(window) = window_of(&mut command) {
            self.page(window, null_last)?;
        }
        Ok(command)
    }

    /// A page of a list: from its beginning unless its end is asked for, and never longer than a page may be.
    fn page(&self, window: &mut Window, null_last: bool) -> Result<(), Fault> {
        let most = self.dialect.profile.page_max.map_or(i64::MAX, i64::from);
        if window.first.is_none() && window.last.is_none() {
            if null_last {
                let words = "You must either supply `:first` or `:last`";
                return Err(Fault::client(Kind::Invalid, words));
            }
            window.first = self.dialect.profile.page_default.map(i64::from);
        }
        window.first = window.first.map(|first| first.min(most));
        window.last = window.last.map(|last| last.min(most));
        Ok(())
    }
}

fn missed(miss: Miss) -> Fault {
    let (kind, name) = match miss {
        Miss::Blank(name) => (Kind::Blank, name),
        Miss::IllTyped(name) => (Kind::Field, name),
    };
    Fault::client(kind, format!("{name} is not usable")).field(name)
}

fn window_of(command: &mut Command) -> Option<&mut Window> {
    Some(match command {
        Command::List(list) => &mut list.window,
        Command::ListChannels(list) => &mut list.window,
        Command::ListPeople(list) => &mut list.window,
        Command::Search(search) => &mut search.window,
        Command::ListModerators(list) => &mut list.window,
        Command::ListBans(list) => &mut list.window,
        Command::ListModerations(list) => &mut list.window,
        _ => return None,
    })
}
