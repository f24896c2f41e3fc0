//! Chat tokens: a text cut into plain pieces, links and names of pictures.
//!
//! Links are cut out first, then `:names:`; empty pieces are dropped and nothing is joined again, so that the pieces
//! together are the text. A link is a link only if it names its scheme; which pictures there are, nobody here knows,
//! so a picture's name stays a text.

use crate::model::Text;
use crate::model::record::record;

record! {
    /// A piece of a text.
    Token { kind: Text, text: Text, url: Text, src: Text }
}

/// The type of a token, among the types that a mapping names for tokens.
pub const TEXT: usize = 0;
pub const LINK: usize = 1;

/// Cuts a text; each piece with which of the types it is.
pub fn cut(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    for piece in links(text) {
        if piece.starts_with("http") && piece.contains("://") {
            tokens.push((
                LINK,
                Token {
                    kind: "url".into(),
                    text: piece.into(),
                    url: piece.into(),
                    ..Token::default()
                },
            ));
        } else {
            tokens.extend(names(piece).into_iter().map(|piece| {
                let token = Token {
                    kind: "text".into(),
                    text: piece.into(),
                    ..Token::default()
                };
                (TEXT, token)
            }));
        }
    }
    tokens
}

/// Splits at words that begin with a scheme.
fn links(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = link_start(rest) {
        let length = rest[start..]
            .find(|char: char| char.is_whitespace() || matches!(char, '<' | '>'))
            .unwrap_or(rest.len() - start);
        pieces.push(&rest[..start]);
        pieces.push(&rest[start..start + length]);
        rest = &rest[start + length..];
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn link_start(text: &str) -> Option<usize> {
    ["http://", "https://"]
        .iter()
        .filter_map(|scheme| {
            text.match_indices(scheme)
                .map(|(at, _)| at)
                .find(|at| text.len() > at + scheme.len())
        })
        .min()
}

/// Splits out `:name:`, names being letters, digits and underscores.
fn names(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while let Some(colon) = text[at..].find(':').map(|found| at + found) {
        let name = text[colon + 1..]
            .find(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
            .unwrap_or(text.len() - colon - 1);
        let end = colon + 1 + name;
        if name > 0 && text[end..].starts_with(':') {
            pieces.push(&text[from..colon]);
            pieces.push(&text[colon..=end]);
            from = end + 1;
            at = from;
        } else {
            at = colon + 1;
        }
    }
    pieces.push(&text[from..]);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        cut(text)
            .into_iter()
            .map(|(_, token)| token.text.to_string())
            .collect()
    }

    #[test]
    fn pieces_are_not_joined_and_not_lost() {
        assert_eq!(texts(":a: :b:"), [":a:", " ", ":b:"]);
        assert_eq!(texts("Hello :wave:!"), ["Hello ", ":wave:", "!"]);
        assert_eq!(texts("a : b:c"), ["a : b:c"]);
        assert_eq!(texts(""), Vec::<String>::new());
    }

    #[test]
    fn links_name_their_scheme() {
        let tokens = cut("see http://glimesh.tv now");
        let kinds: Vec<usize> = tokens.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [TEXT, LINK, TEXT]);
        assert_eq!(tokens[1].1.url, "http://glimesh.tv");
        assert_eq!(cut("glimesh.tv")[0].0, TEXT);
    }
}
