//! The guide's answers to a description in plain language, reproduced word by word, and where a measurement would say
//! otherwise. The last resort: words never outrank a measurement, nor an answer in numbers.

use crate::rules::RuleSet;

/// What the words of a description give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Words that speak for waiting and for computing.
    pub scores: (usize, usize),
    /// What `concurrency_decision_helper` says: threads, processes, or mixed.
    pub helper: &'static str,
    /// What `choose_concurrency_approach` says.
    pub approach: &'static str,
    /// What a measurement would say otherwise.
    pub instead: Vec<String>,
    /// What such work is usually bound by.
    pub bound: Option<String>,
    /// The kind of work.
    pub work: Option<String>,
}

/// The guide's answers for a task that takes `duration` seconds and reads `size` bytes.
#[must_use]
pub fn described(text: &str, duration: Option<f64>, size: Option<f64>, rules: &RuleSet) -> Described {
    let description = rules.description();
    let (waits, computes) = description.scores(text);
    let helper = match waits.cmp(&computes) {
        std::cmp::Ordering::Greater => "threads",
        std::cmp::Ordering::Less => "processes",
        std::cmp::Ordering::Equal => "mixed",
    };
    let tiny = rules.constant("worth_total").unwrap_or_default();
    let large = rules.constant("large_data").unwrap_or(f64::INFINITY);
    let approach = match (waits > 0, computes > 0) {
        _ if duration.is_some_and(|duration| duration < tiny) => "sequential",
        (true, false) => "threads",
        (false, true) if size.is_some_and(|size| size >= large) => "processes_with_caution",
        (false, true) => "processes",
        _ => "threads_first",
    };
    let clue = description.clues_of(text).next();
    let instead = clue.filter(|clue| !clue.instead.is_empty()).map(|clue| clue.instead.clone());
    Described {
        scores: (waits, computes),
        helper,
        approach,
        instead: instead.into_iter().collect(),
        bound: clue.and_then(|clue| clue.bound.clone()),
        work: clue.and_then(|clue| clue.work.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, duration: Option<f64>, size: Option<f64>) -> Described {
        described(text, duration, size, &RuleSet::builtin().unwrap())
    }

    #[test]
    fn the_guides_helper_says_what_it_says() {
        for (text, helper, scores) in [
            ("Download 100 web pages and save to files", "threads", (3, 0)),
            ("Resize 1000 images to create thumbnails", "mixed", (0, 0)),
            ("Query database for user data and send emails", "threads", (1, 0)),
            ("Calculate prime numbers up to 1 million", "processes", (0, 1)),
            ("Fetch stock prices from 50 different APIs", "threads", (1, 0)),
            ("Apply machine learning model to analyze text data", "processes", (0, 1)),
        ] {
            let described = of(text, None, None);
            assert_eq!((described.helper, described.scores), (helper, scores), "{text}");
        }
    }

    #[test]
    fn the_guides_chooser_says_what_it_says() {
        let (small, large) = (Some(1e6), Some(10e9));
        for (text, duration, size, approach) in [
            ("Download 50 web pages", 2.0, small, "threads"),
            ("Resize 1000 images", 30.0, Some(1e8), "threads_first"),
            ("Process 10GB CSV file", 60.0, large, "threads_first"),
            ("Calculate prime numbers", 45.0, small, "processes"),
            ("Calculate prime numbers", 45.0, large, "processes_with_caution"),
            ("Quick database lookup", 0.05, Some(1e3), "sequential"),
        ] {
            assert_eq!(of(text, Some(duration), size).approach, approach, "{text}");
        }
    }

    #[test]
    fn where_measuring_says_otherwise_it_is_said() {
        assert!(of("Resize 1000 images", None, None).instead[0].contains("processes"));
        assert!(of("Process 10GB CSV file", None, None).instead[0].contains("Dask"));
        assert!(of("Download 50 web pages", None, None).instead.is_empty());
    }
}
