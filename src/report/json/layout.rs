//! How the JSON is laid out: indented like everybody's, but a list inside a list (a recorded segment) stays on one
//! line, so that ten thousand segments are ten thousand lines and a difference of two reports can be read.

use std::io::{self, Write};

use serde_json::ser::{Formatter, PrettyFormatter};

/// Pretty printing with nested lists on one line.
pub(super) struct Layout {
    pretty: PrettyFormatter<'static>,
    /// For every open bracket, whether it is a list.
    open: Vec<bool>,
    /// Number of open brackets at which the line must not break; `None`: it may.
    inline_from: Option<usize>,
}

impl Layout {
    pub(super) fn new() -> Self {
        Self { pretty: PrettyFormatter::new(), open: Vec::new(), inline_from: None }
    }

    fn enter(&mut self, list: bool) -> bool {
        if list && self.open.last() == Some(&true) && self.inline_from.is_none() {
            self.inline_from = Some(self.open.len());
        }
        self.open.push(list);
        self.inline_from.is_some()
    }

    /// Whether the bracket that closes now was opened on this line.
    fn leave(&mut self) -> bool {
        self.open.pop();
        let inline = self.inline_from.is_some();
        if self.inline_from == Some(self.open.len()) {
            self.inline_from = None;
        }
        inline
    }

    fn comma(&self, first: bool, out: &mut (impl Write + ?Sized)) -> Option<io::Result<()>> {
        self.inline_from.map(|_| if first { Ok(()) } else { out.write_all(b", ") })
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.enter(true) { out.write_all(b"[") } else { self.pretty.begin_array(out) }
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.leave() {
            out.write_all(b"]")?;
            // What was written counts as a value of the list around it.
            return self.pretty.end_array_value(out);
        }
        self.pretty.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.comma(first, out).unwrap_or_else(|| self.pretty.begin_array_value(out, first))
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.inline_from.is_some() { Ok(()) } else { self.pretty.end_array_value(out) }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.enter(false) { out.write_all(b"{") } else { self.pretty.begin_object(out) }
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.leave() { out.write_all(b"}") } else { self.pretty.end_object(out) }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.comma(first, out).unwrap_or_else(|| self.pretty.begin_object_key(out, first))
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.inline_from.is_some() { Ok(()) } else { self.pretty.end_object_value(out) }
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_lists_in_lists_share_a_line() {
        let value = json!({"a": [[1, 2], [3, {"b": [4, [5]]}]], "c": [], "d": [6, 7], "e": {}});
        let mut bytes = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Layout::new())).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let expected = r#"{
  "a": [
    [1, 2],
    [3, {"b": [4, [5]]}]
  ],
  "c": [],
  "d": [
    6,
    7
  ],
  "e": {}
}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
