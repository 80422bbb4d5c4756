//! Safe rewrites: which of them can be made together, what they look like as a diff, and writing them so that no file
//! is ever half written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::finding::{Edit, Finding};
use crate::scan::source::SourceFile;

/// Lines around a change that a diff shows.
const CONTEXT: usize = 3;

/// The edits of a file that do not touch each other, in order, and the indices of the findings they repair.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) edits: Vec<Edit>,
    pub(super) repaired: Vec<usize>,
}

/// Plans by path. A fix is taken whole or not at all; of two that touch, the first is taken.
pub(super) fn plan<'a>(
    findings: &[Finding],
    file: impl Fn(&str) -> Option<&'a SourceFile>,
) -> BTreeMap<String, Plan> {
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        let path = &*finding.seen.place.path;
        let Some(fix) = &finding.seen.fix else { continue };
        // Offsets into a decoded text are not offsets into its file.
        let Some(source) = file(path).filter(|source| source.exact) else { continue };
        let plan = plans.entry(path.to_owned()).or_default();
        let fits = |edit: &Edit| {
            let (start, end) = (edit.bytes.0 as usize, edit.bytes.1 as usize);
            source.text.get(start..end).is_some()
        };
        // The same edit (an import that two fixes need) is made once.
        let new: Vec<&Edit> = fix.edits.iter().filter(|edit| !plan.edits.contains(edit)).collect();
        let touches = |edit: &Edit| plan.edits.iter().any(|other| touch(edit, other));
        if fix.edits.iter().all(fits) && !new.iter().copied().any(touches) {
            plan.edits.extend(new.into_iter().cloned());
            plan.repaired.push(index);
        }
    }
    for plan in plans.values_mut() {
        plan.edits.sort_by_key(|edit| edit.bytes);
    }
    plans.retain(|_, plan| !plan.repaired.is_empty());
    plans
}

/// Edits that overlap, or insert at the same place.
fn touch(a: &Edit, b: &Edit) -> bool {
    (a.bytes.0 < b.bytes.1 && b.bytes.0 < a.bytes.1) || a.bytes.0 == b.bytes.0
}

/// The text with the edits made; they are in order and do not touch.
pub(super) fn edited(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.bytes.0 as usize).unwrap_or_default());
        out.push_str(&edit.text);
        at = edit.bytes.1 as usize;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The edits as a unified diff, which `patch -p1` and `git apply` take.
pub(super) fn diff(path: &str, text: &str, edits: &[Edit]) -> String {
    let old: Vec<&str> = text.split_inclusive('\n').collect();
    let mut starts = vec![0];
    for line in &old {
        starts.push(starts[starts.len() - 1] + line.len());
    }
    let line_of = |offset: u32| starts.partition_point(|start| *start <= offset as usize).max(1) - 1;
    // Changed stretches of lines, each with the edits in it.
    let mut stretches: Vec<(usize, usize, Vec<Edit>)> = Vec::new();
    for edit in edits {
        let first = line_of(edit.bytes.0).min(old.len().saturating_sub(1));
        let last = line_of(edit.bytes.1.saturating_sub(1).max(edit.bytes.0)).max(first);
        let last = (last + 1).min(old.len());
        match stretches.last_mut() {
            Some((_, end, edits)) if first < *end => {
                *end = (*end).max(last);
                edits.push(edit.clone());
            }
            _ => stretches.push((first, last, vec![edit.clone()])),
        }
    }
    let mut hunks: Vec<Vec<(usize, usize, Vec<Edit>)>> = Vec::new();
    for stretch in stretches {
        match hunks.last_mut() {
            Some(hunk) if hunk.last().is_some_and(|(_, end, _)| stretch.0 <= end + 2 * CONTEXT) => {
                hunk.push(stretch);
            }
            _ => hunks.push(vec![stretch]),
        }
    }
    let mut out = format!("--- a/{path}\n+++ b/{path}\n");
    let mut shift = 0_isize;
    for hunk in hunks {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let (from, to) = (first.0.saturating_sub(CONTEXT), (last.1 + CONTEXT).min(old.len()));
        let mut body = String::new();
        let (mut at, mut added, mut removed) = (from, 0, 0);
        for (start, end, edits) in &hunk {
            old[at..*start].iter().for_each(|line| push(&mut body, ' ', line));
            old[*start..*end].iter().for_each(|line| push(&mut body, '-', line));
            let base = starts[*start];
            let within: Vec<Edit> = edits
                .iter()
                .map(|edit| Edit {
                    bytes: (edit.bytes.0 - base as u32, edit.bytes.1 - base as u32),
                    text: edit.text.clone(),
                })
                .collect();
            let new = edited(&text[base..starts[*end]], &within);
            new.split_inclusive('\n').for_each(|line| push(&mut body, '+', line));
            added += new.split_inclusive('\n').count();
            removed += end - start;
            at = *end;
        }
        old[at..to].iter().for_each(|line| push(&mut body, ' ', line));
        let (length, new_start) = (to - from, (from + 1).saturating_add_signed(shift));
        let new_length = length + added - removed;
        // Writing to a string cannot fail.
        let _ = write!(out, "@@ -{},{length} +{new_start},{new_length} @@\n{body}", from + 1);
        shift += added as isize - removed as isize;
    }
    out
}

fn push(body: &mut String, mark: char, line: &str) {
    body.push(mark);
    body.push_str(line);
    if !line.ends_with('\n') {
        body.push_str("\n\\ No newline at end of file\n");
    }
}

/// Replaces a file that still reads as it was scanned: beside it first, then in one step.
///
/// # Errors
/// The file has changed since, or cannot be written.
pub(super) fn replace(file: &Path, scanned: &str, text: &str) -> Result<()> {
    // A link stays a link.
    let file = &file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?;
    let name = file.display();
    if fs::read(file).with_context(|| format!("cannot read {name}"))? != scanned.as_bytes() {
        bail!("{name} has changed while it was scanned: run --fix again");
    }
    let directory = file.parent().unwrap_or(Path::new("."));
    let beside = directory.join(format!(".boundby-fix-{}", std::process::id()));
    let written = (|| {
        let mut new = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        new.write_all(text.as_bytes())?;
        new.set_permissions(fs::metadata(file)?.permissions())?;
        new.sync_all()?;
        fs::rename(&beside, file)
    })();
    if written.is_err() {
        // What could not take the place of the file must not stay beside it; that this fails too changes nothing.
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("cannot write {name}: it is as it was"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: u32, end: u32, text: &str) -> Edit {
        Edit { bytes: (start, end), text: text.to_owned() }
    }

    #[test]
    fn edits_are_made_and_shown_as_a_diff() {
        let text = (1..=20).fold(String::new(), |text, n| text + "line " + &n.to_string() + "\n");
        let two = text.find("line 2\n").unwrap() as u32;
        let nineteen = text.find("line 19").unwrap() as u32;
        let edits = [edit(0, 0, "import x\n"), edit(two, two + 4, "LINE"), edit(nineteen, nineteen + 8, "")];
        let new = edited(&text, &edits);
        assert!(
            new.starts_with("import x\nline 1\nLINE 2\n") && new.ends_with("line 18\nline 20\n"),
            "{new}"
        );
        assert_eq!(
            diff("a.py", &text, &edits),
            "--- a/a.py\n+++ b/a.py\n@@ -1,5 +1,6 @@\n-line 1\n+import x\n+line 1\n-line 2\n+LINE 2\n line 3\n line 4\n \
             line 5\n@@ -16,5 +17,4 @@\n line 16\n line 17\n line 18\n-line 19\n line 20\n"
        );
    }

    #[test]
    fn a_file_without_a_last_line_end_says_so() {
        let shown = diff("a.py", "a\nb", &[edit(2, 3, "c")]);
        assert!(
            shown.ends_with("-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.py");
        fs::write(&file, "old").unwrap();
        assert!(replace(&file, "other", "new").unwrap_err().to_string().contains("has changed"));
        replace(&file, "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
