//! Values as they are typed: counts, times, sizes, rates, lists of worker numbers, shapes of pools, stages.

use crate::advice::simulate::{Shape, Stage};
use crate::units;

/// Worker numbers of one list at most: more are no table.
const LIST_MAX: usize = 64;
/// More than any computer has.
const CORES_MAX: f64 = 4096.0;

/// A whole number of at least one: `1000`, `1_000`, `1e9`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no count: type a whole number from 1 on, for example 1000");
    let plain: String = text.chars().filter(|char| !matches!(char, '_' | ',')).collect();
    if let Ok(number) = plain.parse::<u64>() {
        return if number == 0 { Err(format!("`{text}` is nothing: type 1 or more")) } else { Ok(number) };
    }
    let number: f64 = plain.parse().map_err(|_| wrong())?;
    let whole = number.fract() == 0.0 && (1.0..=1e18).contains(&number);
    if whole { Ok(number as u64) } else { Err(wrong()) }
}

/// A time that may be nothing.
pub(crate) fn time(text: &str) -> Result<f64, String> {
    if text.trim_start().starts_with('-') {
        return Err(format!("`{text}` is less than nothing: type how long it takes, for example 100ms"));
    }
    units::parse_seconds(text)
}

/// A time that is not nothing.
pub(crate) fn some_time(text: &str) -> Result<f64, String> {
    match time(text)? {
        0.0 => Err(format!("`{text}` is no time at all: type how long it takes, for example 100ms")),
        time => Ok(time),
    }
}

/// A size in bytes.
pub(crate) fn size(text: &str) -> Result<f64, String> {
    units::parse_bytes(text)
}

/// A number of cores, which may be a fraction.
pub(crate) fn cores(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok().filter(|cores| *cores > 0.0 && *cores <= CORES_MAX);
    number.ok_or_else(|| {
        format!(
            "`{text}` is no number of cores: type a number above 0 up to {CORES_MAX}, for example 4 or 0.5"
        )
    })
}

/// A coefficient of variation.
pub(crate) fn variation(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok().filter(|cv| (0.0..=10.0).contains(cv));
    number.ok_or_else(|| {
        format!("`{text}` is no coefficient of variation: type a number from 0 to 10, for example 0.5")
    })
}

/// A rate: `200`, `200/s`, `30/min`, `1e6/h`; a bare number is per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let per = match unit.trim() {
        "s" | "sec" | "second" => 1.0,
        "min" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        "d" | "day" => 86_400.0,
        _ => f64::NAN,
    };
    let rate = number.trim().parse::<f64>().unwrap_or(f64::NAN) / per;
    if rate.is_finite() && rate > 0.0 {
        Ok(rate)
    } else {
        Err(format!("`{text}` is no rate: type a number above 0 and /s, /min, /h or /d, for example 200/s"))
    }
}

/// One number of workers, or a range: `8`, `1-64`, `1..64`. A long range is thinned, its ends stay.
pub(crate) fn workers(text: &str) -> Result<WorkerRange, String> {
    let wrong = || format!("`{text}` is no number of workers: type 8, 1,2,4,8 or 1-64");
    let ends = text.split_once("..").or_else(|| text.split_once('-'));
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|n| *n > 0).ok_or_else(wrong);
    match ends {
        None => number(text).map(|n| WorkerRange(n, n)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last.trim_start_matches('='))?);
            if first > last {
                return Err(format!("`{text}` ends before it begins: type {last}-{first}"));
            }
            Ok(WorkerRange(first, last))
        }
    }
}

/// First and last number of workers of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerRange(pub usize, pub usize);

/// All numbers of some ranges, in order, each once; evenly thinned by ratio where they are many.
pub(crate) fn listed(ranges: &[WorkerRange]) -> Vec<usize> {
    let mut out = Vec::new();
    for WorkerRange(first, last) in ranges {
        if last - first < LIST_MAX / 2 {
            out.extend(*first..=*last);
        } else {
            let steps = (LIST_MAX / 4) as f64;
            let ratio = (*last as f64 / *first as f64).powf(1.0 / steps);
            let step = |i: usize| (*first as f64 * ratio.powi(i as i32)).round() as usize;
            out.extend((0..LIST_MAX / 4).map(step));
            out.push(*last);
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// Processes × threads: `4x2`, `4×2`.
pub(crate) fn shape(text: &str) -> Result<Shape, String> {
    let parts = text.split_once(['x', 'X', '×', '*']);
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|n| *n > 0);
    let both = parts.and_then(|(processes, threads)| Some((number(processes)?, number(threads)?)));
    both.map(|(processes, threads)| Shape { processes, threads }).ok_or_else(|| {
        format!("`{text}` is no pool: type processes x threads, for example 4x2 for 4 processes of 2 threads")
    })
}

/// A stage of a pipeline and its workers: `300ms`, `400msx2`.
pub(crate) fn stage(text: &str) -> Result<Stage, String> {
    let (length, workers) = match text.rsplit_once(['x', 'X', '×', '*']) {
        Some((length, workers)) => (length, workers.trim().parse::<usize>().unwrap_or(0)),
        None => (text, 1),
    };
    if workers == 0 {
        return Err(format!(
            "`{text}` is no stage: type its time, and x and its workers, for example 400msx2"
        ));
    }
    some_time(length).map(|time| Stage { time, workers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_at_least_one() {
        assert_eq!(
            ["1", "1_000", "1e9", "10,000"].map(count),
            [Ok(1), Ok(1000), Ok(1_000_000_000), Ok(10_000)]
        );
        for wrong in ["0", "-3", "1.5", "", "many", "1e30", "nan"] {
            assert!(count(wrong).unwrap_err().contains("type "), "{wrong}");
        }
    }

    #[test]
    fn times_are_not_negative() {
        assert_eq!(time("0"), Ok(0.0));
        assert!(time("-1s").unwrap_err().contains("less than nothing"));
        assert!(some_time("0ms").is_err());
    }

    #[test]
    fn rates_say_per_what() {
        assert_eq!(["200", "200/s", "30/min", "7200/h"].map(rate), [Ok(200.0), Ok(200.0), Ok(0.5), Ok(2.0)]);
        for wrong in ["0", "-1/s", "5/week", "x", "inf", "1/"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_keep_their_ends_and_stay_short() {
        let of = |texts: &[&str]| {
            let ranges: Vec<_> = texts.iter().map(|text| workers(text).unwrap()).collect();
            listed(&ranges)
        };
        assert_eq!(of(&["8", "1-4", "2"]), [1, 2, 3, 4, 8]);
        let long = of(&["1..1000"]);
        assert!(long.len() <= 20 && long[0] == 1 && long.last() == Some(&1000), "{long:?}");
        for wrong in ["0", "4-2", "-1", "x", "1-", ""] {
            assert!(workers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shapes_and_stages_have_both_numbers() {
        assert_eq!(shape("4x2"), Ok(Shape { processes: 4, threads: 2 }));
        assert_eq!(stage("400msx2"), Ok(Stage { time: 0.4, workers: 2 }));
        assert_eq!(stage("300ms"), Ok(Stage { time: 0.3, workers: 1 }));
        for wrong in ["4", "0x2", "4x", "axb"] {
            assert!(shape(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0s", "1sx0", "-1s", "x2"] {
            assert!(stage(wrong).is_err(), "{wrong}");
        }
    }
}
