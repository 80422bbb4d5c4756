//! The report for people: what binds, where the time went, what to do, why, and what could not be seen.
//!
//! Knows how to say what is in the data; adds no judgement of its own. The sections stand in the order in which
//! they are asked for.

pub(in crate::report) mod advice;
mod because;
pub(in crate::report) mod book;
pub(super) mod decision;
mod doubt;
pub(in crate::report) mod drawing;
mod evidence;
mod findings;
mod header;
mod instead;
mod lines;
pub mod live;
pub(in crate::report) mod page;
pub(super) mod simulation;
mod stalls;
mod unseen;
mod verdict;

use page::{Block, Page, Text};

use super::{Report, Style};

/// A report in parts, for who lays it out otherwise: everything is said, in the same words.
pub(in crate::report) struct Parts {
    /// Program, time, ending, runtime, CPUs.
    pub(in crate::report) header: Vec<Text>,
    /// What binds.
    pub(in crate::report) verdict: Vec<Block>,
    /// The wall book.
    pub(in crate::report) book: Vec<book::Row>,
    /// Where in the source.
    pub(in crate::report) lines: Vec<Block>,
    /// What to do, and why; without what would do instead, which a table shows better.
    pub(in crate::report) advice: Vec<Block>,
    /// What could not be seen or decided, and how it was measured.
    pub(in crate::report) unseen: Vec<Block>,
}

/// Takes a report apart.
pub(in crate::report) fn parts(report: &Report<'_>) -> Parts {
    let style = Style { verbose: true, ..Style::PLAIN };
    let narrow = Style { width: 0, ..style };
    let blocks = |write: &dyn Fn(&mut Page<'_>)| {
        let mut page = Page::new(&style);
        write(&mut page);
        page.into_blocks()
    };
    Parts {
        header: header::items(report),
        // On a narrow page the confidence stands on a line of its own.
        verdict: {
            let mut page = Page::new(&narrow);
            verdict::write(&mut page, report, true);
            page.into_blocks()
        },
        book: book::rows(report.profile),
        lines: blocks(&|page| {
            lines::write(page, report, true);
            stalls::write(page, report.profile, true);
            findings::write(page, report, true);
        }),
        advice: blocks(&|page| advice::write(page, report, true))
            .into_iter()
            .filter(|block| !matches!(block, Block::Section(label, _) if label == instead::LABEL))
            .collect(),
        unseen: blocks(&|page| unseen::write(page, report, true)),
    }
}

/// The report as lines of at most `style.width` columns.
pub(super) fn to_text(report: &Report<'_>, style: &Style) -> String {
    let mut page = Page::new(style);
    page.items(header::items(report));
    page.blank();
    verdict::write(&mut page, report, style.verbose);
    page.blank();
    book::write(&mut page, report.profile);
    page.blank();
    lines::write(&mut page, report, style.verbose);
    stalls::write(&mut page, report.profile, style.verbose);
    findings::write(&mut page, report, style.verbose);
    advice::write(&mut page, report, style.verbose);
    unseen::write(&mut page, report, style.verbose);
    page.finish()
}
