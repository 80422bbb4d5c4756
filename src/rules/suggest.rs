//! "Did you mean": the name nearest to a misspelt one.

/// The nearest of `known` within a third of the name's length in edits (a swap of two letters is one edit);
/// the first of several equally near ones.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A hostile name must not cost more than it is worth.
    if name.len() > 100 {
        return None;
    }
    let within = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= within)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment: insert, delete, replace, swap neighbours.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (i, letter) in left.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in right.iter().enumerate() {
            let replace = last[j] + usize::from(letter != *other);
            let mut best = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if j > 0 && previous == Some(*other) && letter == right[j - 1] {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
        previous = Some(letter);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("wait.shrae", "wait.share"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["wait.share", "wait.total", "cpu.gil"];
        assert_eq!(nearest("wait.shrae", known), Some("wait.share"));
        assert_eq!(nearest("cpu_gil", known), Some("cpu.gil"));
        assert_eq!(nearest("memory", known), None);
    }
}
