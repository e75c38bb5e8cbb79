//! Durations, sizes, counts and clock times as people read them. The one place where this is
//! decided.

use std::time::Duration;

/// `0.4 ms`, `4 ms`, `1.2 s`, `41 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let ms = time.as_millis();
    let s = time.as_secs();
    if ms == 0 && time.as_micros() > 0 {
        return tenths(time.as_micros() / 100, "ms");
    }
    match s {
        0 => format!("{ms} ms"),
        1..=9 => tenths(ms / 100, "s"),
        10..=59 => format!("{s} s"),
        60..=3_599 => pair(s / 60, "min", s % 60, "s"),
        3_600..=86_399 => pair(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => pair(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

/// The same, of milliseconds.
#[must_use]
pub fn duration_ms(ms: u64) -> String {
    duration(Duration::from_millis(ms))
}

/// A setting, which is shown as exactly as it was written: `5s`, `1500ms`, `2m`.
#[must_use]
pub fn setting_ms(ms: u64) -> String {
    match ms {
        _ if ms > 0 && ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms > 0 && ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

fn tenths(value: u128, unit: &str) -> String {
    if value.is_multiple_of(10) {
        format!("{} {unit}", value / 10)
    } else {
        format!("{}.{} {unit}", value / 10, value % 10)
    }
}

fn pair(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// `512 B`, `1.5 KiB`, `64 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let mut tens = u128::from(count) * 10 / 1_024;
    let mut unit = UNITS[0];
    for next in UNITS.into_iter().skip(1) {
        if tens < 10_240 {
            break;
        }
        tens /= 1_024;
        unit = next;
    }
    if tens >= 1_000 {
        format!("{} {unit}", tens / 10)
    } else {
        tenths(tens, unit)
    }
}

/// `1 message`, `3 messages`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

/// The time of day of an RFC 3339 time in UTC, to the second: `09:46:52`. Anything else stays
/// as it is.
#[must_use]
pub fn clock(at: &str) -> &str {
    match at.get(11..19) {
        Some(time) if at.as_bytes().get(10) == Some(&b'T') => time,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_at_a_glance() {
        let cases = [
            (0, "0 ms"),
            (4, "4 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_250, "1.2 s"),
            (41_900, "41 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, expected) in cases {
            assert_eq!(duration_ms(ms), expected);
        }
        assert_eq!(duration(Duration::from_micros(350)), "0.3 ms");
    }

    #[test]
    fn settings_keep_their_exactness() {
        assert_eq!(setting_ms(5_000), "5s");
        assert_eq!(setting_ms(1_500), "1500ms");
        assert_eq!(setting_ms(120_000), "2m");
        assert_eq!(setting_ms(0), "0ms");
    }

    #[test]
    fn sizes_take_the_unit_that_fits() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(64 * 1_024 * 1_024), "64 MiB");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
    }

    #[test]
    fn a_clock_is_cut_from_a_full_time_only() {
        assert_eq!(clock("2026-11-20T09:46:52.123Z"), "09:46:52");
        assert_eq!(clock("yesterday"), "yesterday");
    }
}
