//! How many fields a document asks for, every fragment counted once and used as often as it is spread.
//!
//! A fragment that is spread many times is looked into once, so that a small document cannot ask for a long count.

use std::collections::HashMap;

use bluejay_parser::ast::executable::{OperationDefinition, Selection};
use smallvec::SmallVec;

use super::document::{self, Document, Failure, selections};
use super::validate::MAX_ERRORS;
use super::{Error, Pos};

/// # Errors
/// An operation asks for more than that.
pub fn check(
    document: &Document<'_>,
    operation: &OperationDefinition<'_>,
    most: u32,
) -> Result<(), Failure> {
    let items = selections(operation.selection_set());
    let mut known = HashMap::new();
    let asked = count(document, items, &mut known);
    if asked <= u64::from(most) {
        return Ok(());
    }
    let name = document::name(operation).map_or(String::new(), |name| format!(" {name}"));
    let mut told = Told {
        document,
        most,
        known,
        errors: Vec::new(),
    };
    told.error(
        &format!("Operation{name}"),
        asked,
        document.begin(operation),
    );
    told.selections(items);
    // Absinthe tells the innermost first.
    told.errors.reverse();
    Err(Failure::Errors(told.errors))
}

/// What is too complex.
struct Told<'d> {
    document: &'d Document<'d>,
    most: u32,
    known: HashMap<&'d str, u64>,
    errors: Vec<Error>,
}

impl<'d> Told<'d> {
    fn error(&mut self, what: &str, asked: u64, at: SmallVec<[Pos; 1]>) {
        let most = self.most;
        let message = format!("{what} is too complex: complexity is {asked} and maximum is {most}");
        self.errors.push(Error::told(message, at));
    }

    /// What of a selection is too complex by itself, and what of it that is within.
    fn selections(&mut self, items: &'d [Selection<'d>]) {
        for item in items {
            let asked = count(self.document, std::slice::from_ref(item), &mut self.known);
            if asked <= u64::from(self.most) || self.errors.len() >= MAX_ERRORS {
                continue;
            }
            let at = |at| [at].into_iter().collect();
            match item {
                Selection::Field(field) => {
                    let name = format!("Field {}", field.name().as_str());
                    self.error(&name, asked, at(self.document.pos(field)));
                    self.selections(selections(field.selection_set()));
                }
                Selection::InlineFragment(inline) => {
                    self.selections(selections(inline.selection_set()));
                }
                Selection::FragmentSpread(spread) => {
                    let name = format!("Spread {}", spread.name().as_str());
                    self.error(&name, asked, at(self.document.pos(spread)));
                }
            }
        }
    }
}

fn count<'d>(
    document: &'d Document<'d>,
    items: &'d [Selection<'d>],
    known: &mut HashMap<&'d str, u64>,
) -> u64 {
    let mut sum: u64 = 0;
    for item in items {
        let more = match item {
            Selection::Field(field) => {
                count(document, selections(field.selection_set()), known).saturating_add(1)
            }
            Selection::InlineFragment(inline) => {
                count(document, selections(inline.selection_set()), known)
            }
            Selection::FragmentSpread(spread) => {
                let name = spread.name().as_str();
                match (known.get(name), document.fragment(name)) {
                    (Some(count), _) => *count,
                    (None, Some(fragment)) => {
                        let fields = count(document, selections(fragment.selection_set()), known);
                        known.insert(name, fields);
                        fields
                    }
                    (None, None) => 0,
                }
            }
        };
        sum = sum.saturating_add(more);
    }
    sum
}
