//! Source files as tokens, so that a rule is neither met nor broken by a comment or by words in a string.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

pub struct Source {
    /// From the project's root, with `/`.
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    pub line: usize,
    /// It stands in something that only tests compile.
    pub test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    /// One sign; brackets of all kinds are signs.
    Sign,
    /// What a string literal holds.
    Text,
    /// A number or a character.
    Other,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project, sorted.
pub fn sources(folder: &str) -> Vec<Source> {
    let paths = files(&root().join(folder), "rs");
    assert!(!paths.is_empty(), "no Rust files below {folder}");
    paths.iter().map(|path| Source::read(path)).collect()
}

/// Every file below a folder with this extension, sorted.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The path from the project's root.
pub fn short(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

impl Source {
    pub fn read(path: &Path) -> Source {
        let text = std::fs::read_to_string(path).unwrap();
        let short = short(path);
        let stream: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{short} is no Rust: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, false, &mut tokens);
        Source {
            path: short,
            text,
            tokens,
        }
    }

    /// The first part of the path below `src`: a stage of the journey.
    pub fn stage(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = below.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many `super`s lead from here to the crate's root.
    pub fn depth(&self) -> usize {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let folders = below.matches('/').count();
        folders + usize::from(!below.ends_with("mod.rs"))
    }

    /// Does the token at a place say this?
    pub fn says(&self, at: usize, text: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.text == text && token.kind != Kind::Text)
    }

    /// Do the tokens from a place on say this?
    pub fn reads(&self, at: usize, texts: &[&str]) -> bool {
        let mut texts = texts.iter().enumerate();
        texts.all(|(step, text)| self.says(at + step, text))
    }

    /// Where something stands, as a compiler writes it.
    pub fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, self.tokens[at].line)
    }

    /// The bracket that closes the one at a place.
    pub fn closing(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match (token.kind, token.text.as_str()) {
                (Kind::Sign, "{" | "(" | "[") => depth += 1,
                (Kind::Sign, "}" | ")" | "]") => {
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len()
    }
}

fn flatten(stream: TokenStream, test: bool, tokens: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    // Ends with the item that `#[cfg(test)]` stands before.
    let mut only_test = false;
    while let Some(tree) = trees.get(at) {
        at += 1;
        if let TokenTree::Punct(sign) = tree
            && sign.as_char() == '#'
            && let Some(attribute) = attribute(&trees[at..])
            && (attribute.starts_with("doc=") || attribute.starts_with("cfg(test)"))
        {
            only_test |= attribute.starts_with("cfg");
            at += 1 + usize::from(matches!(&trees[at], TokenTree::Punct(_)));
            continue;
        }
        let ends = match tree {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(sign) => sign.as_char() == ';',
            _ => false,
        };
        push(tree, test || only_test, tokens);
        only_test &= !ends;
    }
}

/// What stands in the brackets of an attribute, if that is what follows a `#`.
fn attribute(rest: &[TokenTree]) -> Option<String> {
    let group = match rest {
        [TokenTree::Group(group), ..] => group,
        [TokenTree::Punct(sign), TokenTree::Group(group), ..] if sign.as_char() == '!' => group,
        _ => return None,
    };
    (group.delimiter() == Delimiter::Bracket).then(|| group.stream().to_string().replace(' ', ""))
}

fn push(tree: &TokenTree, test: bool, tokens: &mut Vec<Token>) {
    let mut token = |kind, text: String, line| {
        tokens.push(Token {
            kind,
            text,
            line,
            test,
        });
    };
    let line = tree.span().start().line;
    match tree {
        TokenTree::Ident(word) => token(Kind::Word, plain(word), line),
        TokenTree::Punct(sign) => token(Kind::Sign, sign.as_char().to_string(), line),
        TokenTree::Literal(literal) => {
            let written = literal.to_string();
            match string(&written) {
                Some(text) => token(Kind::Text, text, line),
                None => token(Kind::Other, written, line),
            }
        }
        TokenTree::Group(group) => {
            let (open, close) = match group.delimiter() {
                Delimiter::Brace => ("{", "}"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::None => ("", ""),
            };
            token(Kind::Sign, open.into(), group.span_open().start().line);
            flatten(group.stream(), test, tokens);
            tokens.push(Token {
                kind: Kind::Sign,
                text: close.into(),
                line: group.span_close().start().line,
                test,
            });
        }
    }
}

fn plain(word: &Ident) -> String {
    let word = word.to_string();
    word.strip_prefix("r#").unwrap_or(&word).to_owned()
}

/// What a string literal of any kind holds. Escapes stay as they are, but for quotes and backslashes.
fn string(written: &str) -> Option<String> {
    let kind = written.trim_start_matches(['b', 'c']);
    let raw = kind.strip_prefix('r');
    let inner = raw
        .unwrap_or(kind)
        .trim_matches('#')
        .strip_prefix('"')?
        .strip_suffix('"')?;
    match raw {
        Some(_) => Some(inner.to_owned()),
        None => Some(inner.replace("\\\"", "\"").replace("\\\\", "\\")),
    }
}
