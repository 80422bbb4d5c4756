//! Formatting and parsing of durations, sizes, shares and counts: in one place, so that every report says
//! `1.2 s` the same way. Knows nothing of ours.

/// A duration in seconds with three significant digits: `12.4 s`, `56.1 ms`, `820 us`.
#[must_use]
pub fn seconds(value: f64) -> String {
    let magnitude = value.abs();
    let (scaled, unit) = if magnitude >= 3600.0 {
        (value / 3600.0, "h")
    } else if magnitude >= 180.0 {
        (value / 60.0, "min")
    } else if magnitude >= 1.0 || magnitude == 0.0 {
        (value, "s")
    } else if magnitude >= 1e-3 {
        (value * 1e3, "ms")
    } else if magnitude >= 1e-6 {
        (value * 1e6, "us")
    } else {
        (value * 1e9, "ns")
    };
    format!("{} {unit}", significant(scaled))
}

/// A size in bytes: `310 MiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value;
    let mut unit = 0;
    while scaled.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", significant(scaled), UNITS[unit])
}

/// A share as a percentage: `90.4 %`, `7.3 %`, `0.05 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value != 0.0 && value.abs() < 0.095 { format!("{value:.2} %") } else { format!("{value:.1} %") }
}

/// A factor: `11×`, `1.9×`.
#[must_use]
pub fn factor(value: f64) -> String {
    if value >= 9.95 { format!("{value:.0}×") } else { format!("{value:.1}×") }
}

/// Three significant digits, no exponent, no trailing fraction beyond two places.
#[must_use]
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 99.95 || magnitude == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// `1 item`, `2 items`.
#[must_use]
pub fn count(number: u64, singular: &str) -> String {
    if number == 1 { format!("1 {singular}") } else { format!("{number} {singular}s") }
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
        assert_eq!(percent(0.904), "90.4 %");
        assert_eq!(percent(0.0005), "0.05 %");
        assert_eq!(factor(11.04), "11×");
        assert_eq!(factor(1.86), "1.9×");
        assert_eq!(count(1, "item"), "1 item");
    }
}
