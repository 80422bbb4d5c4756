//! Sections of text as HTML.

use std::fmt::Write as _;

use crate::report::markup::escaped;
use crate::report::text::page::{Block, Paragraph, Role, Text};

/// Each section with its label as a heading.
pub(super) fn sections(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        // Writing to a string cannot fail, here and below.
        match block {
            Block::Blank => {}
            Block::Section(_, paragraphs) if paragraphs.is_empty() => {}
            Block::Section(label, paragraphs) => {
                if !label.is_empty() {
                    let _ = writeln!(out, "<h2>{}</h2>", escaped(label));
                }
                for one in paragraphs {
                    paragraph(out, one);
                }
            }
            Block::Code(code) => {
                let lines: Vec<String> = code.lines().map(escaped).collect();
                let _ = writeln!(out, "<pre>{}</pre>", lines.join("\n"));
            }
            Block::Line(_, text) => {
                let _ = writeln!(out, "<p>{}</p>", inline(text));
            }
            Block::Items(items) => {
                let items: Vec<String> = items.iter().map(inline).collect();
                let _ = writeln!(out, "<p>{}</p>", items.join(" · "));
            }
        }
    }
}

/// The paragraphs alone.
pub(super) fn bare(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        if let Block::Section(_, paragraphs) = block {
            for one in paragraphs {
                paragraph(out, one);
            }
        }
    }
}

fn paragraph(out: &mut String, one: &Paragraph) {
    if one.lead.is_empty() && one.body.is_empty() {
        return;
    }
    let _ = if one.lead.is_empty() {
        writeln!(out, "<p>{}</p>", inline(&one.body))
    } else {
        writeln!(
            out,
            "<div class=\"row\"><div class=\"lead\">{}</div><div>{}</div></div>",
            inline(&one.lead),
            inline(&one.body)
        )
    };
}

/// Text with its roles.
pub(super) fn inline(text: &Text) -> String {
    text.pieces()
        .map(|(role, piece)| {
            let piece = escaped(&piece);
            match class(role) {
                Some(class) => format!("<span class=\"{class}\">{piece}</span>"),
                None => piece,
            }
        })
        .collect()
}

fn class(role: Role) -> Option<&'static str> {
    match role {
        Role::Strong | Role::Label => Some("strong"),
        Role::Faint => Some("faint"),
        Role::Warning => Some("warning"),
        Role::Plain | Role::Busy | Role::Waiting => None,
    }
}
