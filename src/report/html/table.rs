//! A table that becomes a list of cards where there is no room for columns.

use std::fmt::Write as _;

/// A table being filled with HTML.
pub(super) struct Table<'a> {
    heads: &'a [&'a str],
    out: String,
}

impl<'a> Table<'a> {
    /// A table with these columns; all but the first and the last are numbers.
    pub(super) fn new(heads: &'a [&'a str]) -> Self {
        let mut table = Self { heads, out: String::from("<table>\n<thead><tr>") };
        for (number, head) in heads.iter().enumerate() {
            // Writing to a string cannot fail, here and below.
            let _ = write!(table.out, "<th{}>{head}</th>", table.class(number));
        }
        table.out.push_str("</tr></thead>\n<tbody>\n");
        table
    }

    fn class(&self, number: usize) -> &'static str {
        if number > 0 && number + 1 < self.heads.len() { " class=\"number\"" } else { "" }
    }

    /// A row of this class with its cells.
    pub(super) fn row(&mut self, class: &str, cells: &[String]) {
        let _ = write!(self.out, "<tr class=\"{class}\">");
        for (number, (cell, head)) in cells.iter().zip(self.heads).enumerate() {
            let _ = write!(self.out, "<td{} data-head=\"{head}\">{cell}</td>", self.class(number));
        }
        self.out.push_str("</tr>\n");
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</tbody>\n</table>\n");
        self.out
    }
}
