//! How many fields a document asks for, every fragment counted once and used as often as it is spread.
//!
//! A fragment that is spread many times is looked into once, so that a small document cannot ask for a long count.

use std::collections::HashMap;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql_value::Name;

/// Counts the fields of a selection. The fragments have no cycles.
pub fn of(document: &ExecutableDocument, selection: &SelectionSet) -> u64 {
    let mut known = HashMap::new();
    count(document, &selection.items, &mut known)
}

fn count<'d>(
    document: &'d ExecutableDocument,
    items: &'d [Positioned<Selection>],
    known: &mut HashMap<&'d Name, u64>,
) -> u64 {
    let mut sum: u64 = 0;
    for item in items {
        let more = match &item.node {
            Selection::Field(field) => {
                count(document, &field.node.selection_set.node.items, known).saturating_add(1)
            }
            Selection::InlineFragment(inline) => {
                count(document, &inline.node.selection_set.node.items, known)
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                match (known.get(name), document.fragments.get(name)) {
                    (Some(count), _) => *count,
                    (None, Some(fragment)) => {
                        let fields =
                            count(document, &fragment.node.selection_set.node.items, known);
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
