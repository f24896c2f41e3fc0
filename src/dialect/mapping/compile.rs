//! Templates out of TOML: every value of a mapping that has the shape of something on the wire.
//!
//! Text with braces becomes placeholders, everything else a constant; an array whose one element names a list repeats.
//! What the placeholders mean is looked up by `names`.

use std::ops::Range;

use toml::de::DeValue;

use super::Loader;
use super::names::Names;
use super::table::Value;
use crate::dialect::escape;
use crate::dialect::tape::Tree;
use crate::dialect::template::{Constant, Member, Piece, Template};
use crate::model::record::Type;

impl Loader<'_> {
    pub fn template(&mut self, value: &Value<'_>, names: &Names) -> Template {
        let span = value.span();
        match value.get_ref() {
            DeValue::String(text) => self.text_template(text, span, names),
            DeValue::Array(elements) => match elements.iter().collect::<Vec<_>>().as_slice() {
                [only] if mentions_star(only.get_ref(), names) => self.each(only, span, names),
                many => Template::Array(
                    many.iter()
                        .map(|element| self.template(element, names))
                        .collect(),
                ),
            },
            DeValue::Table(table) => Template::Object(self.members(table.iter(), names)),
            other => match constant(other) {
                Some(tree) => Template::Constant(Constant::new(tree, self.style)),
                None => {
                    self.problems.at(
                        span,
                        format!("a {} cannot stand here", other.type_str()),
                        "write it as a text, in quotes",
                    );
                    Template::Constant(Constant::new(Tree::Null, self.style))
                }
            },
        }
    }

    fn text_template(&mut self, text: &str, span: Range<usize>, names: &Names) -> Template {
        // In `[wrap]`, `{reply}` is the exchange's own reply.
        if let Some(splice) = self.splice.as_ref()
            && let Some(default) = text
                .strip_prefix("{reply")
                .and_then(|rest| rest.strip_suffix('}'))
        {
            let splice = splice.clone();
            return splice.unwrap_or_else(|| {
                let default = default.strip_prefix('|').unwrap_or("null");
                let tree = crate::dialect::tape::Tape::json(default.as_bytes())
                    .ok()
                    .and_then(|tape| tape.root().map(Tree::copy))
                    .unwrap_or(Tree::Null);
                // Nobody's field rather than a constant: it is written, and anything is read.
                nobody(Constant::new(tree, self.style))
            });
        }
        let mut pieces = self.pieces(text, span, names);
        match pieces.as_mut_slice() {
            [Piece::Literal(literal)] => {
                Template::Constant(Constant::new(Tree::Text(literal.to_string()), self.style))
            }
            [Piece::Placeholder(_)] => match pieces.remove(0) {
                Piece::Placeholder(placeholder) => Template::Placeholder(placeholder),
                Piece::Literal(_) => Template::Text(Vec::new()),
            },
            _ => Template::Text(pieces),
        }
    }

    fn each(&mut self, element: &Value<'_>, span: Range<usize>, names: &Names) -> Template {
        let mut lists = Vec::new();
        starred(element.get_ref(), &mut lists);
        lists.dedup();
        let [list] = lists.as_slice() else {
            let message = format!(
                "one array cannot repeat several lists: {}",
                lists.join(", ")
            );
            self.problems
                .at(span, message, "give each list an array of its own");
            return Template::Array(Vec::new());
        };
        let Some(source) = self.source(list, element.span(), names) else {
            return Template::Array(Vec::new());
        };
        let Type::List(item) = source.kind else {
            self.problems.at(
                element.span(),
                format!("`{list}` is {}, not a list", source.kind.name()),
                "leave the * out: only lists repeat",
            );
            return Template::Array(Vec::new());
        };
        let inner = Names {
            item: Some((list.clone(), *item)),
            ..names.clone()
        };
        Template::Each {
            list: source,
            item: Box::new(self.template(element, &inner)),
        }
    }

    pub fn members<'t, 'i: 't>(
        &mut self,
        table: impl Iterator<Item = (&'t toml::Spanned<toml::de::DeString<'i>>, &'t Value<'i>)>,
        names: &Names,
    ) -> Vec<Member> {
        let mut members = Vec::new();
        for (key, value) in table {
            let member = self.member(key.get_ref(), key.span(), value, names);
            self.add_member(&mut members, member, key.span());
        }
        members
    }

    /// Adds a member, unless it has a name that another has: an object cannot have both.
    pub fn add_member(&mut self, members: &mut Vec<Member>, member: Member, span: Range<usize>) {
        let mut known = members.iter().flat_map(|known| &known.names);
        if let Some(name) = known.find(|name| member.names.contains(name)) {
            let message = format!("the member `{name}` stands in this object already");
            let help = "a member may have several names, `a|b`, but a name has one member";
            self.problems.at(span, message, help);
            return;
        }
        members.push(member);
    }

    pub fn member(
        &mut self,
        key: &str,
        span: Range<usize>,
        value: &Value<'_>,
        names: &Names,
    ) -> Member {
        let template = self.template(value, names);
        let dynamic = key.contains('{').then(|| self.pieces(key, span, names));
        let mut spellings: Vec<Box<str>> = Vec::new();
        if dynamic.is_none() {
            for name in key.split('|') {
                if !spellings.iter().any(|known| **known == *name) {
                    spellings.push(name.into());
                }
            }
        }
        let mut lead = Vec::new();
        if let Some(name) = spellings.first() {
            escape::json_text(name, self.style, &mut lead);
            lead.push(b':');
        }
        Member {
            names: spellings,
            dynamic,
            lead: lead.into(),
            selects: template.selects(),
            demanded: false,
            template,
        }
    }
}

/// A template that writes a value and reads anything.
pub fn nobody(constant: Constant) -> Template {
    use crate::dialect::codec::Codec;
    use crate::dialect::template::{Absence, Placeholder, Root, Source};
    Template::Placeholder(Placeholder {
        source: Source {
            root: Root::Nobody,
            path: Default::default(),
            kind: Type::Json,
        },
        absence: Absence::Written(constant),
        otherwise: Vec::new(),
        codec: Codec::Plain,
        shape: None,
        path: "_".into(),
    })
}

fn constant(value: &DeValue<'_>) -> Option<Tree> {
    Some(match value {
        DeValue::Boolean(flag) => Tree::Bool(*flag),
        DeValue::Integer(int) => Tree::Int(int.to_string().parse().ok()?),
        DeValue::Float(float) => Tree::Float(float.as_str().parse().ok()?),
        _ => return None,
    })
}

/// Does a text within name a list to repeat, other than the one being repeated already?
fn mentions_star(value: &DeValue<'_>, names: &Names) -> bool {
    let mut lists = Vec::new();
    starred(value, &mut lists);
    lists
        .iter()
        .any(|list| names.item.as_ref().is_none_or(|(outer, _)| outer != list))
}

/// The lists that texts within repeat: what stands before a `*` in a placeholder.
fn starred(value: &DeValue<'_>, lists: &mut Vec<String>) {
    match value {
        DeValue::String(text) => {
            for piece in text.split('{').skip(1) {
                let path = piece.split(['}', '?', '|', ':']).next().unwrap_or_default();
                if let Some((list, _)) = path.split('/').next().unwrap_or_default().split_once('*')
                {
                    let list = list.to_owned();
                    if !lists.contains(&list) {
                        lists.push(list);
                    }
                }
            }
        }
        DeValue::Array(elements) => elements
            .iter()
            .for_each(|element| starred(element.get_ref(), lists)),
        DeValue::Table(table) => table
            .values()
            .for_each(|value| starred(value.get_ref(), lists)),
        _ => {}
    }
}
