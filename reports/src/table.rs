//! A table once, shown three ways: aligned text, HTML, CSV.

use std::fmt::Write as _;

use crate::number;
use crate::text::{visible, wrapped};
use crate::{ReportsError, escape};

/// A cell. The variant decides how the value is formatted for people; CSV takes the value itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Text, escaped where it is shown.
    Text(String),
    /// `16,384`.
    Count(u128),
    /// `655,360 (640 KiB)`.
    Bytes(u128),
    /// Four significant digits.
    Number(f64),
    /// `1.23e-4`.
    Error(f64),
    /// `0.996214`.
    Cosine(f64),
    /// A share, shown as `84.2 %`.
    Share(f64),
}

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Head of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What the column holds.
    pub name: String,
    /// Unit of all its numbers; shown behind the name.
    pub unit: Option<String>,
    /// Alignment of head and cells.
    pub align: Align,
}

/// Rows of cells under a title.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Caption.
    pub title: String,
    /// Columns. A row's missing cells are empty, cells beyond the last column are not shown.
    pub columns: Vec<Column>,
    /// Rows.
    pub rows: Vec<Vec<Cell>>,
    /// A last row set apart; CSV leaves it out.
    pub total: Option<Vec<Cell>>,
    /// Whether the column names are shown to people; CSV always has them.
    pub head: Head,
}

/// Whether a table shows its column names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// It does.
    Shown,
    /// The first column names each row; it does not.
    Hidden,
}

impl Cell {
    /// Text cell.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    /// Count of anything.
    pub fn count(value: impl Into<u128>) -> Cell {
        Cell::Count(value.into())
    }

    /// As people read it. Not escaped for HTML.
    pub fn shown(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) => visible(text),
            Cell::Count(value) => number::count(*value),
            Cell::Bytes(value) => number::bytes(*value),
            Cell::Number(value) => number::significant(*value, 4),
            Cell::Error(value) => number::scientific(*value),
            Cell::Cosine(value) => number::cosine(*value),
            Cell::Share(value) => number::percent(*value),
        }
    }

    fn machine(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Count(value) | Cell::Bytes(value) => value.to_string(),
            Cell::Number(value) | Cell::Error(value) | Cell::Cosine(value) | Cell::Share(value) => {
                number::machine(*value)
            }
        }
    }
}

impl Column {
    /// Left-aligned text.
    pub fn left(name: &str) -> Column {
        Column { name: name.into(), unit: None, align: Align::Left }
    }

    /// Right-aligned numbers without unit.
    pub fn right(name: &str) -> Column {
        Column { name: name.into(), unit: None, align: Align::Right }
    }

    /// With a unit.
    pub fn unit(mut self, unit: &str) -> Column {
        self.unit = Some(unit.into());
        self
    }

    fn head(&self) -> String {
        let name = visible(&self.name);
        self.unit.as_ref().map_or(name.clone(), |unit| format!("{name} ({})", visible(unit)))
    }
}

impl Table {
    /// An empty table.
    pub fn new(title: &str, columns: Vec<Column>) -> Table {
        Table { title: title.into(), columns, rows: Vec::new(), total: None, head: Head::Shown }
    }

    /// A table of named facts, one a row, without column heads.
    pub fn facts(title: &str) -> Table {
        Table { head: Head::Hidden, ..Table::new(title, vec![Column::left("field"), Column::left("value")]) }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a named fact.
    pub fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.row([Cell::text(name), Cell::text(value)]);
    }

    /// Aligned columns for a terminal, title first, every line ended; widths count characters. A column is as wide as its
    /// cells and the longest word of its head, which breaks at spaces.
    pub fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(|r| self.shown(r)).collect();
        let total = self.total.as_ref().map(|r| self.shown(r));
        let mut widths = vec![0; self.columns.len()];
        for row in rows.iter().chain(&total) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let head = if self.head == Head::Shown { self.head_lines(&mut widths) } else { Vec::new() };

        let mut text = String::new();
        if !self.title.is_empty() {
            let _ = writeln!(text, "{}", visible(&self.title));
        }
        let rule = widths.iter().map(|w| "-".repeat(*w)).collect::<Vec<_>>().join("  ");
        head.iter().for_each(|line| self.line(&mut text, line, &widths));
        if !head.is_empty() {
            let _ = writeln!(text, "  {rule}");
        }
        rows.iter().for_each(|row| self.line(&mut text, row, &widths));
        if let Some(total) = &total {
            let _ = writeln!(text, "  {rule}");
            self.line(&mut text, total, &widths);
        }
        text
    }

    /// An HTML `table` with caption, column and row heads.
    pub fn html(&self) -> String {
        let mut html = String::from("<div class=\"scroll\"><table>\n");
        if !self.title.is_empty() {
            let _ = writeln!(html, "<caption>{}</caption>", escape(&self.title));
        }
        if self.head == Head::Shown {
            html.push_str("<thead><tr>");
            for column in &self.columns {
                let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(column.align), escape(&column.head()));
            }
            html.push_str("</tr></thead>\n");
        }
        html.push_str("<tbody>\n");
        self.rows.iter().for_each(|row| self.html_row(&mut html, row));
        html.push_str("</tbody>\n");
        if let Some(total) = &self.total {
            html.push_str("<tfoot>\n");
            self.html_row(&mut html, total);
            html.push_str("</tfoot>\n");
        }
        html.push_str("</table></div>\n");
        html
    }

    /// Column names and values, no formatting, no total.
    ///
    /// # Errors
    /// `Csv` if the writer refuses; it does not for tables in memory.
    pub fn csv(&self) -> Result<String, ReportsError> {
        let refused = |reason: String| ReportsError::Csv { table: self.title.clone(), reason };
        let mut writer = csv::Writer::from_writer(Vec::new());
        let record = |cells: Vec<String>| cells.into_iter().map(String::into_bytes).collect::<Vec<_>>();
        let names = self.columns.iter().map(|c| c.name.clone()).collect();
        writer.write_record(record(names)).map_err(|e| refused(e.to_string()))?;
        for row in &self.rows {
            let cells = self.cells(row).map(Cell::machine).collect();
            writer.write_record(record(cells)).map_err(|e| refused(e.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|e| refused(e.to_string()))?;
        String::from_utf8(bytes).map_err(|e| refused(e.to_string()))
    }

    fn cells<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = &'a Cell> {
        (0..self.columns.len()).map(|i| row.get(i).unwrap_or(&Cell::Empty))
    }

    fn shown(&self, row: &[Cell]) -> Vec<String> {
        self.cells(row).map(Cell::shown).collect()
    }

    /// Heads broken into lines, the last lines on one level; widens columns for the longest word.
    fn head_lines(&self, widths: &mut [usize]) -> Vec<Vec<String>> {
        let mut columns = Vec::new();
        for (column, width) in self.columns.iter().zip(widths) {
            let head = column.head();
            let longest = head.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
            *width = (*width).max(longest);
            columns.push(wrapped(&head, *width, "").lines().map(String::from).collect::<Vec<_>>());
        }
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |lines: &Vec<String>, line: usize| {
            (line + lines.len()).checked_sub(height).map_or(String::new(), |i| lines[i].clone())
        };
        (0..height).map(|line| columns.iter().map(|lines| cell(lines, line)).collect()).collect()
    }

    fn line(&self, text: &mut String, cells: &[String], widths: &[usize]) {
        let mut line = String::from(" ");
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns) {
            let _ = match column.align {
                Align::Left => write!(line, " {cell:<width$} "),
                Align::Right => write!(line, " {cell:>width$} "),
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }

    fn html_row(&self, html: &mut String, row: &[Cell]) {
        html.push_str("<tr>");
        for (i, (cell, column)) in self.cells(row).zip(&self.columns).enumerate() {
            let (tag, scope) = if i == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
            let _ = write!(html, "<{tag}{scope}{}>{}</{tag}>", class(column.align), escape(&cell.shown()));
        }
        html.push_str("</tr>\n");
    }
}

fn class(align: Align) -> &'static str {
    match align {
        Align::Left => "",
        Align::Right => " class=\"number\"",
    }
}
