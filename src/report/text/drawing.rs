//! Curves on a page.

use super::page::{Page, Role, Text};
use crate::report::Style;
use crate::report::plot::{self, Plot};

/// Rows of the curves.
const HEIGHT: usize = 12;
/// Columns before them.
const INDENT: usize = 3;

/// Draws the curves, with a legend below them; nothing where there are none.
pub(in crate::report) fn draw(page: &mut Page<'_>, plot: &Plot, style: &Style) {
    if plot.series.is_empty() {
        return;
    }
    let colours = [Role::Busy, Role::Waiting, Role::Label, Role::Strong];
    page.blank();
    for line in plot::to_cells(plot, page.width() - 2 * INDENT, HEIGHT, style.unicode) {
        let text = line.iter().fold(Text::default(), |text, cell| {
            let role = cell.series.map_or(Role::Plain, |at| colours[at % colours.len()]);
            text.and(role, &cell.char.to_string())
        });
        page.line(INDENT, text);
    }
    let legend = plot.series.iter().enumerate().fold(Text::default(), |text, (i, series)| {
        let text = if i > 0 { text.and(Role::Plain, "   ") } else { text };
        let name = format!("{} {}", series.letter.to_ascii_uppercase(), series.name);
        text.and(colours[i % colours.len()], &name)
    });
    let legend = page.fit(legend.and(Role::Faint, "   a letter marks the knee"), page.width() - INDENT);
    page.line(INDENT, legend);
}
