//! What the lists of a dialect can be asked for, and what they tell: read out of its mapping.
//!
//! Nothing is asked here; a [`plan`](super::plan) is made by it.

use crate::dialect::Dialect;
use crate::dialect::exchange::{ReplyBody, ReplyForm};
use crate::dialect::template::{Placeholder, Root, Source};
use crate::model::record::{Type, Typed as _};
use crate::model::{List, Messages, Operation};

/// What the lists of an upstream's dialect can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Askable {
    /// Messages of a page, where there are pages.
    pub page: Option<i64>,
    /// The most that may be asked for.
    pub most: i64,
    pub offset: bool,
    pub ends: bool,
    pub back: Way,
    pub onward: Way,
    pub inclusive: bool,
    /// So many, and no more.
    pub length: bool,
    pub since: bool,
    pub until: bool,
    pub order: bool,
    pub author: bool,
    pub total: bool,
}

/// How a list is followed to what is older than an answer, or to what is newer.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// By the cursor of the answer's end.
    pub cursor: bool,
    /// By the id of the message there.
    pub id: bool,
    /// The answer says whether there is more; that it does not means that there is none.
    pub tells_more: bool,
}

impl Askable {
    pub fn of(dialect: &Dialect) -> Askable {
        let (mut placeholders, mut told, mut total) = (Vec::new(), Vec::new(), false);
        let wants_total = path(List::TYPE, &["window", "wants_total"]);
        for (_, exchange) in dialect.exchanges_of(Operation::List) {
            if exchange.role.calls() {
                exchange.parts.placeholders(&mut placeholders);
                told.extend(told_by(dialect, &exchange.reply));
                let mut given = exchange.given.iter();
                total |= given.any(|(source, _)| *source.path == *wants_total);
            }
        }
        let says = |names: &[&str]| {
            let path = path(List::TYPE, names);
            let it = |source: &Source| source.root == Root::This && *source.path == *path;
            placeholders
                .iter()
                .any(|one| it(&one.source) || one.otherwise.iter().any(it))
        };
        let of_window = |field| says(&["window", field]);
        let way = |cursor, id, more| Way {
            cursor: of_window(cursor),
            id: of_window(id),
            tells_more: told.contains(&path(Messages::TYPE, &["window", more])),
        };
        let size = dialect.profile.page_default.map_or(1, i64::from);
        Askable {
            page: of_window("page").then_some(size.max(1)),
            most: dialect.profile.page_max.map_or(i64::MAX, i64::from),
            offset: of_window("offset"),
            ends: of_window("first") && of_window("last"),
            back: way("before", "before_id", "has_previous"),
            onward: way("after", "after_id", "has_next"),
            inclusive: of_window("inclusive"),
            length: of_window("limit") || of_window("last"),
            since: of_window("since"),
            until: of_window("until"),
            order: of_window("order"),
            author: says(&["author"]),
            total,
        }
    }

    /// Can a list be followed further than its first answer?
    pub fn follows(&self, onward: bool) -> bool {
        let way = self.way(onward);
        self.page.is_some() || self.offset || way.cursor || way.id
    }

    pub fn way(&self, onward: bool) -> &Way {
        match onward {
            true => &self.onward,
            false => &self.back,
        }
    }
}

/// The fields, also those within shapes, that a reply tells.
fn told_by(dialect: &Dialect, reply: &ReplyForm) -> Vec<Vec<u8>> {
    let (mut outer, mut told) = (Vec::new(), Vec::new());
    if let ReplyBody::Json(template) | ReplyBody::Text(template) = &reply.body {
        template.placeholders(&mut outer);
    }
    outer.retain(|placeholder| placeholder.source.root == Root::This);
    for placeholder in outer {
        let (path, mut inner) = (&placeholder.source.path, Vec::new());
        if let Some(shape) = placeholder.shape.and_then(|at| dialect.shapes.get(at)) {
            shape.template.placeholders(&mut inner);
        }
        let within = |inner: &Placeholder| [&path[..], &inner.source.path].concat();
        told.extend(inner.into_iter().map(within));
        told.push(path.to_vec());
    }
    told
}

/// The numbers of these fields, one within the other, in a record.
fn path(mut within: Type, names: &[&str]) -> Vec<u8> {
    let step = names.iter().map_while(|name| match within {
        Type::Record(schema) => {
            let (number, of) = schema.field(name)?;
            within = of;
            Some(number)
        }
        _ => None,
    });
    step.collect()
}
