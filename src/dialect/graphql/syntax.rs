//! Absinthe's grammar, for a document that is wrong: the first token that it does not go on with, and how it is named.
//!
//! Nothing is made of a document here: the parser does that, and only when something is wrong with what it read, or could
//! not read, is it gone over again. What is left of it behind [`scan`](super::scan) has tokens only, and not too many
//! of them or too deep. Definitions of types, which the grammar has too, are no business of a document that asks.

use super::document::Failure;
use super::scan::{Scan, Token};

/// Names that are words of the language, but names as well.
const WORDS: [&str; 15] = [
    "directive",
    "enum",
    "extend",
    "fragment",
    "implements",
    "input",
    "interface",
    "mutation",
    "on",
    "query",
    "scalar",
    "schema",
    "subscription",
    "type",
    "union",
];
/// Words that are never names.
const RESERVED: [&str; 5] = ["true", "false", "null", "repeatable", "ON"];
const OPERATIONS: [&str; 3] = ["query", "mutation", "subscription"];
/// What a description may stand before.
const DESCRIBED: [&str; 8] = [
    "directive",
    "enum",
    "input",
    "interface",
    "scalar",
    "schema",
    "type",
    "union",
];

/// Goes over a text that has been scanned.
///
/// # Errors
/// Its tokens do not follow each other in this way.
pub fn check(text: &str) -> Result<(), Failure> {
    let mut scan = Scan::new(text);
    let tokens = tokens(&mut scan);
    let mut grammar = Grammar {
        tokens: &tokens,
        at: 0,
    };
    match grammar.document() {
        Ok(()) => Ok(()),
        Err(Unexpected) => Err(unexpected(&scan, &tokens, grammar.at)),
    }
}

/// The error that tells of the first token from a byte on.
pub fn before(text: &str, offset: usize) -> Failure {
    let mut scan = Scan::new(text);
    let tokens = tokens(&mut scan);
    let at = tokens.partition_point(|token| token.at < offset);
    unexpected(&scan, &tokens, at)
}

fn tokens<'t>(scan: &mut Scan<'t>) -> Vec<Token<'t>> {
    std::iter::from_fn(|| scan.token_in()).collect()
}

fn unexpected(scan: &Scan<'_>, tokens: &[Token<'_>], at: usize) -> Failure {
    let found = tokens.get(at);
    // Behind the last token there is none to name, and yecc gives the place of the last.
    let place = found.or(tokens.last()).map_or(0, |token| token.at);
    let named = found.map_or(String::new(), |token| named(token.text));
    let message = format!("syntax error before: {named}");
    Failure::one(message, scan.place_of(place))
}

/// The token that stands next is none that may.
struct Unexpected;

type Step = Result<(), Unexpected>;

struct Grammar<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
}

impl<'t> Grammar<'t> {
    fn next(&self) -> &'t str {
        self.tokens.get(self.at).map_or("", |token| token.text)
    }

    /// Goes over the next token if it is this one.
    fn take(&mut self, token: &str) -> bool {
        let taken = self.next() == token;
        self.at += usize::from(taken);
        taken
    }

    fn must(&mut self, token: &str) -> Step {
        self.take(token).then_some(()).ok_or(Unexpected)
    }

    fn is_name(&self) -> bool {
        let next = self.next();
        next.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_')
            && !RESERVED.contains(&next)
    }

    fn name(&mut self) -> Step {
        let name = self.is_name();
        self.at += usize::from(name);
        name.then_some(()).ok_or(Unexpected)
    }

    fn fragment_name(&mut self) -> Step {
        if self.next() == "on" {
            return Err(Unexpected);
        }
        self.name()
    }

    /// What stands between two brackets, at least once.
    fn many(&mut self, open: &str, close: &str, one: fn(&mut Self) -> Step) -> Step {
        self.must(open)?;
        one(self)?;
        while !self.take(close) {
            one(self)?;
        }
        Ok(())
    }

    fn document(&mut self) -> Step {
        while self.at < self.tokens.len() {
            self.definition()?;
        }
        Ok(())
    }

    fn definition(&mut self) -> Step {
        if self.next() == "{" {
            return self.selection_set();
        }
        if self.take("fragment") {
            self.fragment_name()?;
            self.must("on")?;
            self.name()?;
            self.directives()?;
            return self.selection_set();
        }
        if self.next().starts_with('"') {
            self.at += 1;
            // Where a definition of a type follows, that is what is not asked for.
            let described = DESCRIBED.contains(&self.next());
            self.at -= usize::from(described);
            return Err(Unexpected);
        }
        if !OPERATIONS.contains(&self.next()) {
            return Err(Unexpected);
        }
        self.at += 1;
        self.operation()
    }

    fn operation(&mut self) -> Step {
        let mut named = self.is_name();
        self.at += usize::from(named);
        if self.next() == "(" {
            self.many("(", ")", Self::variable_definition)?;
            named = true;
        }
        // Without a name or variables there are no directives either.
        if named {
            self.directives()?;
        }
        self.selection_set()
    }

    fn variable_definition(&mut self) -> Step {
        self.must("$")?;
        self.name()?;
        self.must(":")?;
        self.of_type()?;
        if self.take("=") {
            self.value()?;
        }
        Ok(())
    }

    fn of_type(&mut self) -> Step {
        if self.take("[") {
            self.of_type()?;
            self.must("]")?;
        } else {
            self.name()?;
        }
        self.take("!");
        Ok(())
    }

    fn selection_set(&mut self) -> Step {
        self.many("{", "}", Self::selection)
    }

    fn selection(&mut self) -> Step {
        if self.take("...") {
            return self.spread();
        }
        self.name()?;
        if self.take(":") {
            self.name()?;
        }
        self.arguments()?;
        self.directives()?;
        if self.next() == "{" {
            self.selection_set()?;
        }
        Ok(())
    }

    fn spread(&mut self) -> Step {
        if self.take("on") {
            self.name()?;
        } else if self.is_name() {
            self.at += 1;
            return self.directives();
        }
        self.directives()?;
        self.selection_set()
    }

    fn directives(&mut self) -> Step {
        while self.take("@") {
            self.name()?;
            self.arguments()?;
        }
        Ok(())
    }

    fn arguments(&mut self) -> Step {
        if self.next() != "(" {
            return Ok(());
        }
        self.many("(", ")", Self::named_value)
    }

    fn named_value(&mut self) -> Step {
        self.name()?;
        self.must(":")?;
        self.value()
    }

    fn value(&mut self) -> Step {
        if self.take("$") {
            return self.name();
        }
        if self.take("[") {
            while !self.take("]") {
                self.value()?;
            }
            return Ok(());
        }
        if self.take("{") {
            while !self.take("}") {
                self.named_value()?;
            }
            return Ok(());
        }
        let next = self.next();
        let literal = next.starts_with(|sign: char| matches!(sign, '"' | '-' | '0'..='9'));
        if literal || matches!(next, "true" | "false" | "null") {
            self.at += 1;
            return Ok(());
        }
        self.name()
    }
}

/// A token as yecc names it: signs are atoms in quotes, words of the language are atoms that need none, and all else
/// has a text.
fn named(token: &str) -> String {
    let word = WORDS.contains(&token) || matches!(token, "null" | "repeatable");
    if word {
        return token.to_owned();
    }
    let first = token.chars().next().unwrap_or_default();
    match first {
        '"' => characters(&quoted(token)),
        _ if first.is_ascii_alphanumeric() && token != "ON" => format!("\"{token}\""),
        '_' | '-' => format!("\"{token}\""),
        _ => format!("'{token}'"),
    }
}

/// A text's token: its characters in quotes, with what its escapes stand for.
fn quoted(token: &str) -> String {
    if token.starts_with("\"\"\"") && token.len() >= 6 {
        let inner = token[3..token.len() - 3].replace("\\\"\"\"", "\"\"\"");
        return format!("\"\"\"{inner}\"\"\"");
    }
    let mut out = String::with_capacity(token.len());
    let end = token.len().saturating_sub(1);
    let mut rest = token[..end].chars();
    while let Some(sign) = rest.next() {
        let escape = rest.as_str();
        match sign {
            '\\' => match unescaped(escape) {
                Some((stands_for, length)) => {
                    out.push(stands_for);
                    rest = escape[length..].chars();
                }
                None => out.push('\\'),
            },
            _ => out.push(sign),
        }
    }
    out.push('"');
    out
}

/// What the signs behind a backslash stand for, and how many bytes they are.
fn unescaped(escape: &str) -> Option<(char, usize)> {
    let sign = match escape.chars().next()? {
        sign @ ('"' | '\\' | '/') => sign,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let code = u32::from_str_radix(escape.get(1..5)?, 16).ok()?;
            return Some((char::from_u32(code)?, 5));
        }
        _ => return None,
    };
    Some((sign, 1))
}

/// Characters as Erlang shows a list of them: as a text if all of them are printable Latin, or else by their numbers,
/// so many to a line.
fn characters(text: &str) -> String {
    const LINE: usize = 78;
    let mut shown = String::from("\"");
    let printable = text.chars().all(|sign| {
        let escape = match sign {
            '"' | '\\' => sign,
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\u{b}' => 'v',
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\u{1b}' => 'e',
            ' '..='~' | '\u{a0}'..='\u{ff}' => {
                shown.push(sign);
                return true;
            }
            _ => return false,
        };
        shown.extend(['\\', escape]);
        true
    });
    if printable {
        shown.push('"');
        return shown;
    }
    shown = String::from("[");
    let mut column = 1;
    for (index, sign) in text.chars().enumerate() {
        let number = u32::from(sign).to_string();
        if index > 0 {
            shown.push(',');
            column += 1;
            if column + number.len() + 1 > LINE {
                shown.push_str("\n ");
                column = 1;
            }
        }
        shown.push_str(&number);
        column += number.len();
    }
    shown.push(']');
    shown
}
