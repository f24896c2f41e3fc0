//! How many fields a document asks for, every fragment counted once and used as often as it is spread.
//!
//! A fragment that is spread many times is looked into once, so that a small document cannot ask for a long count.

use std::collections::HashMap;

use bluejay_parser::ast::executable::{Selection, SelectionSet};

use super::document::{Document, selections};

/// Counts the fields of a selection. The fragments have no cycles.
pub fn of<'d>(document: &'d Document<'d>, selection: &'d SelectionSet<'d>) -> u64 {
    count(document, selections(selection), &mut HashMap::new())
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
