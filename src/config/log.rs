//! `[log]`: how the log is written, and where to.
//!
//! What is in it is decided by the filter in `SABIR_LOG`, a variable alone. Whether that is one, and whether a file can
//! be opened, is found out when the log is.

use super::Reading;
use super::table::Table;
use crate::log::{Config, FILTER, Format, Place};

impl Reading<'_> {
    pub(super) fn log(&self, top: &mut Table<'_>) -> Config {
        let mut log = Config {
            wanted: self
                .draft
                .environment
                .get(FILTER)
                .cloned()
                .unwrap_or_default(),
            ..Config::default()
        };
        let Some(mut table) = top.table("log") else {
            return log;
        };
        if table.word("format", &["text", "json"]) == Some("json") {
            log.format = Format::Json;
        }
        if let Some(to) = table.text("to") {
            log.to = match to.value.as_str() {
                "stderr" => Place::Stderr,
                "stdout" => Place::Stdout,
                path => Place::File(self.draft.folder.join(path)),
            };
        }
        table.close();
        log
    }
}
