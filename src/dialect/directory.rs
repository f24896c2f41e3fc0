//! The directory: which dialect, door and exchanges a path belongs to.
//!
//! Built once from all dialects that are offered; two that want the same path are found here. Unknown paths below a
//! door that a dialect owns are still that dialect's to answer; everything else is nobody's.

use http::Method;
use matchit::Router;
use smallvec::SmallVec;

use super::exchange::{Action, Dialect, Exchange, Segment};
use crate::model::Kind;

/// Where a request belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// These exchanges have the path and the method, most constants first.
    Exchanges {
        dialect: usize,
        door: usize,
        candidates: &'p [usize],
        segments: SmallVec<[&'p str; 4]>,
        allow: &'p str,
    },
    /// The path is known, but not with this method.
    Method {
        dialect: usize,
        door: usize,
        allow: &'p str,
    },
    /// The dialect owns the path, but has nothing there.
    Owned {
        dialect: usize,
        door: usize,
    },
    Nobody,
}

#[derive(Default)]
pub struct Directory {
    paths: Router<Place>,
    /// Owned prefixes, longest first.
    owned: Vec<(String, usize, usize)>,
}

#[derive(Default)]
struct Place {
    dialect: usize,
    door: usize,
    methods: Vec<(Method, Vec<usize>)>,
    /// The methods that are not refused, as the header of that name lists them.
    allow: String,
}

/// Two dialects want one path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the dialects {0} and {1} both answer at {2}; offer only one of them, or give them hosts of their own"
)]
pub struct Clash(pub String, pub String, pub String);

impl Directory {
    /// Builds the directory of the dialects that are offered, by their indices.
    ///
    /// # Errors
    /// Two dialects want one path.
    pub fn new(dialects: &[Dialect], offered: &[usize]) -> Result<Directory, Clash> {
        let mut directory = Directory::default();
        for &index in offered {
            let dialect = &dialects[index];
            for (door, facts) in dialect.doors.iter().enumerate() {
                for owned in &facts.owns {
                    directory
                        .owned
                        .push((format!("{}{owned}", facts.path), index, door));
                }
                if facts.schema.is_some() {
                    directory.add(dialects, index, door, &facts.path)?;
                }
                for path in paths(dialect, door) {
                    directory.add(dialects, index, door, &path)?;
                }
            }
        }
        directory
            .owned
            .sort_by_key(|(prefix, ..)| std::cmp::Reverse(prefix.len()));
        Ok(directory)
    }

    fn add(
        &mut self,
        dialects: &[Dialect],
        index: usize,
        door: usize,
        path: &str,
    ) -> Result<(), Clash> {
        let dialect = &dialects[index];
        let mut place = Place {
            dialect: index,
            door,
            methods: Vec::new(),
            allow: String::new(),
        };
        let mut here: Vec<usize> = (0..dialect.exchanges.len())
            .filter(|exchange| {
                let exchange = &dialect.exchanges[*exchange];
                exchange.role.serves()
                    && exchange.at_door(door)
                    && pattern(dialect, door, exchange) == path
            })
            .collect();
        here.sort_by_key(|exchange| {
            std::cmp::Reverse(dialect.exchanges[*exchange].constants.len())
        });
        for exchange in here {
            for method in &dialect.exchanges[exchange].methods {
                match place.methods.iter_mut().find(|(known, _)| known == method) {
                    Some((_, candidates)) => candidates.push(exchange),
                    None => place.methods.push((method.clone(), vec![exchange])),
                }
            }
        }
        place.allow = allowed(dialect, &place.methods);
        match self.paths.insert(path.to_owned(), place) {
            Ok(()) => Ok(()),
            Err(_) => {
                let other = self
                    .paths
                    .at(path)
                    .map_or(index, |found| found.value.dialect);
                Err(Clash(
                    dialects[other].name.to_string(),
                    dialect.name.to_string(),
                    path.to_owned(),
                ))
            }
        }
    }

    /// Finds where a request belongs.
    pub fn find<'p>(&'p self, method: &Method, path: &'p str) -> Found<'p> {
        // A slash at the end means nothing to any of the services.
        let trimmed = match path.strip_suffix('/') {
            Some(shorter) if !shorter.is_empty() => shorter,
            _ => path,
        };
        let Ok(found) = self.paths.at(trimmed) else {
            return self.owner(path);
        };
        let Place {
            dialect,
            door,
            methods,
            allow,
        } = found.value;
        // A door of documents has no exchanges: every method comes to it.
        if methods.is_empty() {
            return Found::Owned {
                dialect: *dialect,
                door: *door,
            };
        }
        let asked = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        match methods.iter().find(|(known, _)| known == asked) {
            Some((_, candidates)) => Found::Exchanges {
                dialect: *dialect,
                door: *door,
                candidates,
                segments: found.params.iter().map(|(_, value)| value).collect(),
                allow,
            },
            None => Found::Method {
                dialect: *dialect,
                door: *door,
                allow,
            },
        }
    }

    fn owner(&self, path: &str) -> Found<'_> {
        let below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') || prefix.ends_with('.')
            })
        };
        match self.owned.iter().find(|(prefix, ..)| below(prefix)) {
            Some((_, dialect, door)) => Found::Owned {
                dialect: *dialect,
                door: *door,
            },
            None => Found::Nobody,
        }
    }
}

/// The methods of a path that it does not refuse as such.
fn allowed(dialect: &Dialect, methods: &[(Method, Vec<usize>)]) -> String {
    let refused = |exchange: &usize| {
        matches!(
            dialect.exchanges[*exchange].action,
            Action::Refuse {
                kind: Kind::Method,
                ..
            }
        )
    };
    let open = methods.iter().filter(|(_, here)| !here.iter().all(refused));
    let names: Vec<&str> = open.map(|(method, _)| method.as_str()).collect();
    names.join(", ")
}

/// The different paths of a door, without twins.
fn paths(dialect: &Dialect, door: usize) -> Vec<String> {
    let mut paths: Vec<String> = dialect
        .exchanges
        .iter()
        .filter(|exchange| exchange.role.serves() && exchange.at_door(door))
        .map(|exchange| pattern(dialect, door, exchange))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// An exchange's path as the router writes it: parameters are named by their position, so that equal paths are equal.
fn pattern(dialect: &Dialect, door: usize, exchange: &Exchange) -> String {
    let mut path = dialect.doors[door].path.to_string();
    for (position, segment) in exchange.path.iter().enumerate() {
        match segment {
            Segment::Literal(literal) if literal.is_empty() => {}
            Segment::Literal(literal) => {
                path.push('/');
                path.push_str(literal);
            }
            Segment::Template(_) => path.push_str(&format!("/{{p{position}}}")),
        }
    }
    if path.is_empty() { "/".into() } else { path }
}
