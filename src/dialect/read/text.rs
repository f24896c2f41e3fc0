//! Text around placeholders, and textual places: headers, path segments, and texts within JSON.
//!
//! Each placeholder takes what stands before the next literal.

use super::{Field, Miss, Reader, split_prefix};
use crate::dialect::tape::Leaf;
use crate::dialect::template::{Piece, Placeholder, Target, Template, in_pieces};

impl Reader<'_> {
    /// Reads text around placeholders: each takes what stands before the next literal.
    ///
    /// # Errors
    /// The text does not fit.
    pub fn pieces(
        &mut self,
        pieces: &[Piece],
        text: &str,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let mut rest = text;
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => match split_prefix(rest, literal) {
                    Some(behind) => rest = behind,
                    None => return self.ill_typed(),
                },
                Piece::Placeholder(placeholder) => {
                    let end = match pieces.get(index + 1) {
                        Some(Piece::Literal(literal)) => match rest.find(&**literal) {
                            Some(end) => end,
                            None => return self.ill_typed(),
                        },
                        _ => rest.len(),
                    };
                    self.textual(placeholder, &rest[..end], target)?;
                    rest = &rest[end..];
                }
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            self.ill_typed()
        }
    }

    /// Reads a placeholder that stands in a text.
    fn textual(
        &mut self,
        placeholder: &Placeholder,
        text: &str,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        if text.is_empty() {
            return self.absent(placeholder);
        }
        let Some(record) = target.record(placeholder.source.root) else {
            return Ok(());
        };
        match placeholder
            .codec
            .decode_text(text, &placeholder.source.kind, true)
        {
            Some(value) if record.set(&placeholder.source.path, value).is_ok() => Ok(()),
            _ => self.ill_typed(),
        }
    }

    /// Reads a whole textual place: a header's value or a path's segment.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn place(
        &mut self,
        template: &Template,
        text: Option<&str>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let leaf = text.map(Leaf::text);
        self.read(template, leaf.as_ref().map(Field::leaf), target)
    }

    pub(super) fn absent_pieces(&self, pieces: &[Piece]) -> Result<(), Miss> {
        in_pieces(pieces).try_for_each(|placeholder| self.absent(placeholder))
    }
}
