//! What was decided on answers instead of a measurement, and the formats it can be written in: those of a report, as far
//! as there is anything to say.

use super::{Format, Style, json, text};
use crate::advice::{Advice, Described, Evidence};
use crate::machine::Machine;

/// What was said of a program and what follows from it.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// The task in the reader's words.
    pub task: Option<&'a str>,
    /// What was stated or assumed.
    pub stated: &'a [Evidence],
    /// Where it is to run.
    pub machine: &'a Machine,
    /// The language, where stated.
    pub language: Option<&'a str>,
    /// Whether one lock serialises it, where known.
    pub gil: Option<bool>,
    /// Wall time of the work as it is, seconds, where known.
    pub wall: Option<f64>,
    /// What follows.
    pub advice: &'a Advice,
}

/// The decision as bytes, ending in a newline; every format but JSON gives the text.
#[must_use]
pub fn render(decided: &Decided<'_>, format: Format, style: &Style) -> Vec<u8> {
    match format {
        Format::Json => json::stated_to_json(decided),
        _ => text::decision::to_text(decided, style).into_bytes(),
    }
}

/// The guide's answers to a description in words.
#[must_use]
pub fn render_description(task: &str, described: &Described, format: Format, style: &Style) -> Vec<u8> {
    match format {
        Format::Json => json::description_to_json(task, described),
        _ => text::decision::description(task, described, style).into_bytes(),
    }
}
