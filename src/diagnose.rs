//! Mistakes in a file that a person wrote, told with their places: all of a file's mistakes at once.
//!
//! A reader of a file collects what it finds wrong into [`Problems`] and goes on reading; at the end the problems are
//! its error. Each is shown with file, line, column, the line itself, the place marked, and what to do about it.
//!
//! This part knows no format and no meaning: it takes byte ranges of a text. It reads no file and prints nothing.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

/// Columns a diagnostic is wrapped at, the same everywhere so that its text can be pinned by tests.
const WIDTH: usize = 110;

/// Beyond this many, one more mistake helps nobody.
const SHOWN: usize = 50;

/// Everything found wrong with one text. As an error's text, the whole report without colour.
#[derive(Clone)]
pub struct Problems {
    name: Arc<str>,
    text: String,
    found: Vec<Problem>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text, always within one line.
    pub span: Range<usize>,
    pub message: String,
    /// What to do about it. Empty where the message says it all.
    pub help: String,
}

impl Problems {
    /// No problems yet with this text. The name is what a person calls it, mostly a file's path.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<String>) -> Problems {
        Problems {
            name: name.into(),
            text: text.into(),
            found: Vec::new(),
        }
    }

    /// Adds a mistake. A span that runs over several lines is cut at the end of its first.
    pub fn at(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Problems {
        self.found.push(Problem {
            span: self.within_one_line(span),
            message: message.into(),
            help: help.into(),
        });
        self
    }

    /// The value, if nothing was found wrong.
    ///
    /// # Errors
    /// Everything that was found wrong, in the order of the text.
    pub fn finish<T>(mut self, value: T) -> Result<T, Problems> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|problem| problem.span.start);
        self.found.dedup();
        Err(self)
    }

    /// Overwrites a secret with stars, so that no report can show it. Spans stay what they were.
    pub fn hide(&mut self, secret: Range<usize>) {
        if let Some(shown) = self.text.get(secret.clone()) {
            let stars: String = shown
                .chars()
                .map(|letter| match letter {
                    '\n' | '\r' => letter.to_string(),
                    _ => "*".repeat(letter.len_utf8()),
                })
                .collect();
            self.text.replace_range(secret, &stars);
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn found(&self) -> &[Problem] {
        &self.found
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A place as `name:line:column`, for messages of one line.
    pub fn place(&self, at: usize) -> String {
        let (line, column) = self.line_and_column(self.boundary(at));
        format!("{}:{}:{}", self.name, line + 1, column + 1)
    }

    /// The report, in colour if the reader is a person at a terminal.
    pub fn report(&self, colour: bool) -> String {
        let theme = if colour {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let painter = GraphicalReportHandler::new_themed(theme)
            .with_width(WIDTH)
            .with_context_lines(1);
        let mut report = String::new();
        for problem in self.found.iter().take(SHOWN) {
            let shown = Shown {
                text: self,
                problem,
            };
            if painter.render_report(&mut report, &shown).is_err() {
                // Nothing is lost when the picture fails: the words stand alone.
                report.push_str(&format!("{shown}\n"));
            }
            report.push('\n');
        }
        report.push_str(&self.tally());
        report
    }

    fn tally(&self) -> String {
        match self.found.len() {
            1 => format!("1 problem in {}", self.name),
            many if many > SHOWN => {
                format!("{many} problems in {}, {SHOWN} shown", self.name)
            }
            many => format!("{many} problems in {}", self.name),
        }
    }

    fn within_one_line(&self, span: Range<usize>) -> Range<usize> {
        // The end of a text is mostly an empty line, where nothing could be shown: what stands last is.
        let written = self.text.trim_end().len();
        let start = self.boundary(span.start.min(written));
        let end = self.boundary(span.end.max(start));
        let line = self.text[start..end].find(['\n', '\r']);
        let end = line.map_or(end, |newline| start + newline);
        if start < end {
            return start..end;
        }
        // Between two characters nothing can be underlined: the one before, or else the one after, is.
        let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        match self.text[line..start].chars().next_back() {
            Some(before) => start - before.len_utf8()..start,
            None => start..start + self.text[start..].chars().next().map_or(0, char::len_utf8),
        }
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count(),
            before[start..].chars().count(),
        )
    }

    /// The nearest place at or before this one that is between two characters of the text.
    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// What to do about a word that is not one of the known: the nearest of them, or else all.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    if let Some(nearest) = nearest(word, known.iter().copied()) {
        return format!("did you mean `{nearest}`?");
    }
    known.sort_unstable();
    known.dedup();
    match known.as_slice() {
        [] => String::new(),
        [only] => format!("the only one known is `{only}`"),
        several => format!("known: `{}`", several.join("`, `")),
    }
}

/// The known word that was most probably meant, if one is near enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = 1 + word.chars().count().saturating_sub(1) / 4;
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&word, known), known))
        .filter(|(distance, known)| *distance <= near && *distance < known.chars().count())
        .min()
        .map(|(_, known)| known)
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.report(false))
    }
}

/// The same as the text for people, because this is what a failing test and `main` print.
impl fmt::Debug for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl Error for Problems {}

/// One problem together with the text it is in, as the painter wants it.
#[derive(Debug)]
struct Shown<'a> {
    text: &'a Problems,
    problem: &'a Problem,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.problem.message)
    }
}

impl Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self.problem.help.as_str() {
            "" => None,
            help => Some(Box::new(help)),
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone();
        Some(Box::new(std::iter::once(LabeledSpan::underline(span))))
    }
}

/// Shows the line of a problem whole, and no other line: another may be a secret's.
impl SourceCode for Problems {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_before: usize,
        _context_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let mut start = self.boundary(span.offset());
        let mut end = self.boundary(span.offset() + span.len());
        // The painter asks without context only to learn the place of the span itself.
        if context_before > 0 {
            start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
            end += self.text[end..].find('\n').unwrap_or(self.text.len() - end);
        }
        let (line, column) = self.line_and_column(start);
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_string(),
            &self.text.as_bytes()[start..end],
            (start, end - start).into(),
            line,
            column,
            1,
        )))
    }
}
