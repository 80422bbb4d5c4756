//! Folded stacks, as `FlameGraph`'s stackcollapse scripts write them: levels joined by semicolons, outermost first, then a
//! number. Here that is wall time in microseconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::rows;
use crate::profile::Profile;

/// One line per stack, in the order of their text.
pub(in crate::report) fn to_folded(profile: &Profile) -> String {
    let mut lines: BTreeMap<String, u128> = BTreeMap::new();
    for row in rows(profile) {
        let levels: Vec<String> = row.levels.iter().map(|level| plain(&level.name)).collect();
        *lines.entry(levels.join(";")).or_default() += row.wall.as_micros();
    }
    let mut text = String::new();
    for (stack, micros) in lines.iter().filter(|(_, micros)| **micros > 0) {
        let _ = writeln!(text, "{stack} {micros}");
    }
    text
}

/// Without what the format uses itself.
fn plain(name: &str) -> String {
    name.chars()
        .map(|char| {
            if char == ';' {
                ':'
            } else if char.is_control() {
                ' '
            } else {
                char
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_stack_is_a_line_of_its_own() {
        let text = super::to_folded(&super::super::tests::profile());
        assert_eq!(
            text,
            "python3;[sleep] 10000\n\
             python3;main (etl.py:88);a:b <c> (etl.py:1);[cpu] 90000\n\
             python3;main (etl.py:88);fetch (etl.py:42);[network db:5432] 900000\n"
        );
    }
}
