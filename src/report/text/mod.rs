//! The report for people: what binds, where the time went, what to do, why, and what could not be seen.
//!
//! Knows how to say what is in the data; adds no judgement of its own. The sections stand in the order in which
//! they are asked for.

mod advice;
mod because;
mod book;
mod doubt;
mod evidence;
mod findings;
mod header;
mod instead;
mod lines;
mod page;
mod unseen;
mod verdict;

use page::Page;

use super::{Report, Style};

/// The report as lines of at most `style.width` columns.
pub(super) fn to_text(report: &Report<'_>, style: &Style) -> String {
    let mut page = Page::new(style);
    header::write(&mut page, report);
    page.blank();
    verdict::write(&mut page, report, style.verbose);
    page.blank();
    book::write(&mut page, report.profile);
    page.blank();
    lines::write(&mut page, report, style.verbose);
    findings::write(&mut page, report, style.verbose);
    advice::write(&mut page, report, style.verbose);
    unseen::write(&mut page, report, style.verbose);
    page.finish()
}
