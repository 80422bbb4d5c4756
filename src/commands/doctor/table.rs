//! The table of `boundby doctor`: wrapped to the width of a terminal, one line per source when piped.

use std::io::{self, IsTerminal as _};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::{Check, Outcome};

/// Narrower than this nothing can be read any more.
const NARROWEST: u16 = 40;

/// Columns of the terminal on standard output; `None`: it is not one.
pub(super) fn terminal_width() -> Option<u16> {
    io::stdout().is_terminal().then(|| Table::new().width()).flatten().map(|width| width.max(NARROWEST))
}

/// Lays out the checks for a terminal of that width, or plainly, one check per line.
pub(super) fn render(checks: &[Check], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        let verdict = ColumnConstraint::UpperBoundary(Width::Percentage(30));
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_constraints([ColumnConstraint::ContentWidth, verdict]);
    } else {
        table.force_no_tty();
    }
    let separator = if width.is_some() { "\n" } else { "; " };
    table.set_header(["SOURCE", "WORKS", "WHAT IT GIVES, OR WHAT IS MISSING AND WHAT TO TYPE"]);
    for check in checks {
        let (works, meaning) = match &check.outcome {
            Outcome::Works(detail) if detail.is_empty() => ("yes".to_owned(), check.gives.to_owned()),
            Outcome::Works(detail) => (format!("yes: {detail}"), check.gives.to_owned()),
            Outcome::Refused(reason) => {
                (format!("no: {reason}"), format!("{}{separator}to get it: {}", check.costs, check.enable))
            }
            Outcome::Untried(how) => ("not tried".to_owned(), format!("{}{separator}{how}", check.gives)),
        };
        table.add_row([check.source.to_owned(), works, meaning]);
    }
    let text = table.trim_fmt();
    // The style pads every line on the left.
    text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> [Check; 2] {
        let check = |source, outcome| Check {
            source,
            outcome,
            gives: "what a thread waits for",
            costs: "waits are named from the kernel function alone",
            enable: "docker run --cap-add SYS_PTRACE".to_owned(),
            essential: false,
        };
        [
            check("fd links", Outcome::Works(String::new())),
            check("syscall", Outcome::Refused("permission denied".to_owned())),
        ]
    }

    #[test]
    fn plain_is_one_line_per_check_without_trailing_space() {
        let text = render(&checks(), None);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        let working = text.lines().find(|line| line.contains("fd links")).unwrap();
        assert!(working.contains("what a thread waits for") && !working.contains("docker"), "{working}");
        let refused = text.lines().find(|line| line.contains("syscall")).unwrap();
        assert!(refused.contains("no: permission denied") && refused.contains("--cap-add"), "{refused}");
    }

    #[test]
    fn a_terminal_is_not_overrun() {
        for width in [40, 60, 100, 200] {
            let text = render(&checks(), Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{width}:\n{text}");
        }
    }
}
