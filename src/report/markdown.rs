//! The report as Markdown: for a wiki, a comment, the summary of a build. The words of the text, tables where it has
//! columns.

use std::fmt::Write as _;

use super::Report;
use super::text::page::{Block, Paragraph, Role, Text};
use super::text::{self, Parts, advice};
use crate::units;

/// The programs one after the other.
pub(super) fn to_markdown(reports: &[Report<'_>]) -> String {
    let programs: Vec<String> = reports.iter().map(program).collect();
    programs.join("\n---\n\n")
}

fn program(report: &Report<'_>) -> String {
    let Parts { header, verdict, book, lines, advice, unseen } = text::parts(report);
    let mut out = String::new();
    let mut header = header.iter().map(ToString::to_string);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(out, "## {}\n", code(&header.next().unwrap_or_default()));
    let _ = writeln!(out, "{}\n", plain(&header.collect::<Vec<_>>().join(" · ")));
    sections(&mut out, &verdict);
    out.push_str("| | | time | share |\n|---|---|---:|---:|\n");
    let shares = units::percent_column(&book.iter().map(|row| row.share).collect::<Vec<_>>());
    for (row, share) in book.iter().zip(shares) {
        let (kind, detail) = (cell(&row.kind.to_string()), cell(&row.detail.to_string()));
        let time = units::seconds(row.time.as_secs_f64());
        let _ = writeln!(out, "| {kind} | {detail} | {time} | {} |", share.trim());
    }
    out.push('\n');
    sections(&mut out, &advice);
    considered(&mut out, report);
    sections(&mut out, &lines);
    sections(&mut out, &unseen);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Everything that was considered, side by side.
fn considered(out: &mut String, report: &Report<'_>) {
    let rows = advice::considered(report);
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "**What was considered**\n\n| {} |", advice::CONSIDERED.join(" | "));
    out.push_str("|---|---:|---:|---:|---:|---|\n");
    for (rejected, cells) in rows {
        let cells = cells.map(|text| cell(&text));
        let _ = match &cells {
            [name, _, speedup, _, _, why] if rejected => {
                writeln!(out, "| {name} | | {speedup} | | | {why} |")
            }
            _ => writeln!(out, "| {} |", cells.join(" | ")),
        };
    }
    out.push('\n');
}

pub(super) fn sections(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Blank => {}
            Block::Section(_, paragraphs) if paragraphs.iter().all(is_empty) => {}
            Block::Section(label, paragraphs) => {
                let _ = writeln!(out, "**{}**\n", plain(label));
                for one in paragraphs.iter().filter(|one| !is_empty(one)) {
                    let lead = one.lead.to_string();
                    let lead = lead.split_whitespace().collect::<Vec<_>>().join(" ");
                    let lead = if lead.is_empty() { lead } else { format!("{} — ", plain(&lead)) };
                    let _ = writeln!(out, "- {lead}{}", inline(&one.body));
                }
                out.push('\n');
            }
            Block::Code(code) => {
                let fence = if code.contains("```") { "~~~~" } else { "```" };
                let _ = writeln!(out, "{fence}\n{code}\n{fence}\n");
            }
            Block::Line(_, text) => {
                let _ = writeln!(out, "{}\n", inline(text));
            }
            Block::Items(items) => {
                let _ = writeln!(out, "{}\n", items.iter().map(inline).collect::<Vec<_>>().join(" · "));
            }
        }
    }
}

fn is_empty(one: &Paragraph) -> bool {
    one.lead.is_empty() && one.body.is_empty()
}

fn inline(text: &Text) -> String {
    text.pieces()
        .map(|(role, piece)| match role {
            Role::Strong if !piece.trim().is_empty() => {
                let (start, end) = (piece.len() - piece.trim_start().len(), piece.trim_end().len());
                format!("{}**{}**{}", &piece[..start], plain(piece.trim()), &piece[end..])
            }
            _ => plain(&piece),
        })
        .collect()
}

/// A cell of a table.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}

/// In backquotes; a backquote inside would end them.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// What is measured must not become markup.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#') {
            out.push('\\');
        }
        out.push(if char == '\u{a0}' { ' ' } else { char });
    }
    out
}
