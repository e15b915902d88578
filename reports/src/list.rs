use bitmosaic_results::ListDocument;

use crate::table::{Cell, Column, Head, Table};

/// Name and summary, one entry a line, without heads: easy to read and to cut.
pub fn list_text(document: &ListDocument) -> String {
    let mut table = Table::new("", vec![Column::left("name"), Column::left("summary")]);
    table.head = Head::Hidden;
    for entry in &document.0 {
        table.row([Cell::text(&entry.name), Cell::text(&entry.summary)]);
    }
    table.text()
}
