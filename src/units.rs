//! Formatting and parsing of durations, sizes, shares and counts: in one place, so that every report says
//! `1.2 s` the same way. Knows nothing of ours.

/// What stands for a number that is not one; nothing may print `NaN`.
const NO_NUMBER: &str = "?";

const TIMES: [(f64, &str); 6] =
    [(1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h")];
const SIZES: [(f64, &str); 5] = [
    (1.0, "B"),
    (1024.0, "KiB"),
    (1_048_576.0, "MiB"),
    (1_073_741_824.0, "GiB"),
    (1_099_511_627_776.0, "TiB"),
];

/// A duration in seconds with three significant digits: `12.4 s`, `56.1 ms`, `820 us`.
#[must_use]
pub fn seconds(value: f64) -> String {
    // Up to three minutes people count in seconds.
    let in_unit =
        |scale: f64| if scale > 1.0 { value.abs() >= 3.0 * 60.0 && value.abs() >= scale } else { true };
    if value == 0.0 { "0 s".to_owned() } else { scaled(value, &TIMES, in_unit) }
}

/// A predicted duration, with the two digits a prediction is worth: `1.1 s`, `150 ms`.
#[must_use]
pub fn rough_seconds(value: f64) -> String {
    if !value.is_finite() || value <= 0.0 {
        return seconds(value);
    }
    let digits = 10_f64.powf(1.0 - value.log10().floor());
    let text = seconds((value * digits).round() / digits);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, "s"));
    format!("{} {unit}", two_digits(number))
}

/// A printed number without the fraction beyond its second digit.
fn two_digits(number: &str) -> &str {
    match number.find('.') {
        Some(1) => number.get(..3).unwrap_or(number),
        Some(point) => &number[..point],
        None => number,
    }
}

/// A size in bytes: `310 MiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    scaled(value, &SIZES, |_| true)
}

/// The largest allowed unit in which the printed number is at least 1: 999.9 ms prints as `1.00 s`.
fn scaled(value: f64, units: &[(f64, &str)], allowed: impl Fn(f64) -> bool) -> String {
    if !value.is_finite() {
        return NO_NUMBER.to_owned();
    }
    let fits = |(scale, _): &&(f64, &str)| allowed(*scale) && value.abs() / scale >= 0.9995;
    let (scale, unit) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{} {unit}", significant(value / scale))
}

/// A predicted size, with the two digits a prediction is worth: `16 MiB`, `3.6 MiB`.
#[must_use]
pub fn rough_bytes(value: f64) -> String {
    let text = bytes(value);
    match text.split_once(' ') {
        Some((number, unit)) => format!("{} {unit}", two_digits(number)),
        None => text,
    }
}

/// A share as a percentage, with no more digits than say something: `100 %`, `98 %`, `99.7 %`, `7.3 %`, `0.05 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if !value.is_finite() {
        return NO_NUMBER.to_owned();
    }
    let magnitude = value.abs();
    // What is nearly all must not read as all, nor what is nearly nothing as nothing.
    let text = match magnitude {
        0.0..0.005 => "0".to_owned(),
        0.005..0.095 => format!("{value:.2}"),
        0.095..9.95 | 99.5..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// Shares as percentages that stand below each other: with one place where one of them needs it, else whole.
#[must_use]
pub fn percent_column(shares: &[f64]) -> Vec<String> {
    let fraction = shares.iter().any(|share| percent(*share).contains('.'));
    let places = usize::from(fraction);
    let one = |share: &f64| {
        if share.is_finite() { format!("{:.places$} %", share * 100.0) } else { NO_NUMBER.to_owned() }
    };
    shares.iter().map(one).collect()
}

/// A factor: `11×`, `1.9×`.
#[must_use]
pub fn factor(value: f64) -> String {
    if !value.is_finite() {
        NO_NUMBER.to_owned()
    } else if value >= 9.95 {
        format!("{value:.0}×")
    } else {
        format!("{value:.1}×")
    }
}

/// Two factors as the ends of a range: `9.4–12×`; one where they read the same.
#[must_use]
pub fn factors(low: f64, high: f64) -> String {
    let (low, high) = (factor(low), factor(high));
    if low == high { low } else { format!("{}–{high}", low.trim_end_matches('×')) }
}

/// Three significant digits, no exponent, no trailing fraction beyond two places.
#[must_use]
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        NO_NUMBER.to_owned()
    } else if magnitude >= 99.95 || magnitude == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A count or factor as people write it: whole numbers whole, others with at most three digits.
#[must_use]
pub fn plain(value: f64) -> String {
    if value.is_finite() && value.fract() == 0.0 && (0.0..1e15).contains(&value) {
        return grouped(value as u64);
    }
    let text = significant(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A whole number with its digits in groups of three from five digits on: `1240`, `410,000`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration as it is typed: `100ms`, `1.5 s`, `2min`, `1h`; a bare number is seconds.
///
/// # Errors
///
/// What is wrong with the text, and what would be right.
pub fn parse_seconds(text: &str) -> Result<f64, String> {
    parse(text, &TIMES, 1.0).ok_or_else(|| {
        format!("`{text}` is no duration: type a number and ns, us, ms, s, min or h, for example 100ms")
    })
}

/// A size as it is typed: `512MiB`, `8 GiB`, also `KB`, `MB`, `GB`, `TB` in powers of ten; a bare number is bytes.
///
/// # Errors
///
/// What is wrong with the text, and what would be right.
pub fn parse_bytes(text: &str) -> Result<f64, String> {
    const DECIMAL: [(f64, &str); 4] = [(1e3, "KB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")];
    parse(text, &SIZES, 1.0).or_else(|| parse(text, &DECIMAL, f64::NAN)).ok_or_else(|| {
        format!("`{text}` is no size: type a number and B, KiB, MiB, GiB or TiB, for example 8GiB")
    })
}

/// A number that is finite and not negative, times the scale of its unit.
fn parse(text: &str, units: &[(f64, &str)], bare: f64) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.trim().parse().ok()?;
    let scale = match unit {
        "" => bare,
        unit => units.iter().find(|(_, name)| name.eq_ignore_ascii_case(unit))?.0,
    };
    let value = number * scale;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// `1 item`, `2 items`, `2 processes`.
#[must_use]
pub fn count(number: u64, singular: &str) -> String {
    let hissing = ["s", "x", "ch", "sh"].iter().any(|end| singular.ends_with(end));
    let ending = match (number, hissing) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {singular}{ending}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_the_unit_people_expect() {
        assert_eq!(seconds(12.44), "12.4 s");
        assert_eq!(seconds(0.0561), "56.1 ms");
        assert_eq!(seconds(0.00082), "820 us");
        assert_eq!(seconds(7200.0), "2.00 h");
        assert_eq!(bytes(310.0 * 1024.0 * 1024.0), "310 MiB");
        assert_eq!(factor(11.04), "11×");
        assert_eq!(factor(1.86), "1.9×");
        assert_eq!(count(1, "item"), "1 item");
        assert_eq!(count(410_000, "wait"), "410,000 waits");
        assert_eq!([count(1, "process"), count(2, "process")], ["1 process", "2 processes"]);
        assert_eq!(
            [16.4, 3.55, 310.0].map(|mib: f64| rough_bytes(mib * 1_048_576.0)),
            ["16 MiB", "3.5 MiB", "310 MiB"]
        );
        assert_eq!(
            [200.0, 2.346, 0.5, 12_345.0, 1240.0].map(plain),
            ["200", "2.35", "0.5", "12,345", "1240"]
        );
        assert_eq!(
            [1.13, 15.6, 0.149, 0.0092, 210.0, 0.0].map(rough_seconds),
            ["1.1 s", "16 s", "150 ms", "9.2 ms", "3.5 min", "0 s"]
        );
    }

    #[test]
    fn shares_have_the_digits_that_say_something() {
        let shares = [1.0, 0.9999, 0.997, 0.904, 0.0995, 0.073, 0.07, 0.0005, 0.00001, 0.0];
        assert_eq!(
            shares.map(percent),
            ["100 %", "100 %", "99.7 %", "90 %", "10 %", "7.3 %", "7 %", "0.05 %", "0 %", "0 %"]
        );
        assert_eq!(percent_column(&[0.904, 0.073]), ["90.4 %", "7.3 %"]);
        assert_eq!(percent_column(&[0.57, 0.43]), ["57 %", "43 %"]);
        assert_eq!(percent_column(&[1.0, f64::NAN]), ["100 %", "?"]);
    }

    #[test]
    fn rounding_never_prints_a_thousand_of_the_smaller_unit() {
        assert_eq!(seconds(0.999_9), "1.00 s");
        assert_eq!(seconds(0.000_999_99), "1.00 ms");
        assert_eq!(seconds(0.0), "0 s");
        assert_eq!(seconds(150.0), "150 s");
        assert_eq!(seconds(240.0), "4.00 min");
        assert_eq!(bytes(1023.9 * 1024.0), "1.00 MiB");
    }

    #[test]
    fn what_is_no_number_is_never_printed_as_one() {
        for text in [seconds(f64::NAN), bytes(f64::INFINITY), percent(f64::NAN), factor(f64::NAN)] {
            assert_eq!(text, "?");
        }
    }

    #[test]
    fn durations_and_sizes_are_read_as_they_are_typed() {
        assert_eq!(parse_seconds("100ms"), Ok(0.1));
        assert_eq!(parse_seconds(" 1.5 s "), Ok(1.5));
        assert_eq!(parse_seconds("2min"), Ok(120.0));
        assert_eq!(parse_seconds("3"), Ok(3.0));
        assert_eq!(parse_bytes("8GiB"), Ok(8.0 * 1024.0 * 1024.0 * 1024.0));
        assert_eq!(parse_bytes("5 MB"), Ok(5e6));
        for wrong in ["", "s", "-1s", "1 parsec", "nan", "inf s", "1e999s", "1 2s"] {
            assert!(parse_seconds(wrong).unwrap_err().contains("for example 100ms"), "{wrong}");
        }
        assert!(parse_bytes("8 gigs").unwrap_err().contains("for example 8GiB"));
    }
}
