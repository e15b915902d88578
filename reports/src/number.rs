//! Numbers as people read them. All of the room's formatting of numbers is here. Nothing but integer arithmetic and the
//! standard library's exact float printing, so the same text on every platform.

/// Thousands separators: `16,384`.
pub(crate) fn count(value: u128) -> String {
    grouped(&value.to_string())
}

/// Signed difference: `+12`, `-3`, `0`.
pub(crate) fn difference(value: u64, reference: u64) -> String {
    match value.cmp(&reference) {
        std::cmp::Ordering::Less => format!("-{}", count(u128::from(reference - value))),
        std::cmp::Ordering::Equal => "0".into(),
        std::cmp::Ordering::Greater => format!("+{}", count(u128::from(value - reference))),
    }
}

/// `digits` significant digits, thousands separators; scientific below 10^-4 and from 10^9.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if let Some(word) = not_finite(value) {
        return word.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    let exponent = exponent(&rounded);
    if !(-4..9).contains(&exponent) {
        return rounded;
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    grouped(&format!("{value:.decimals$}"))
}

/// Errors, which span decades: `1.23e-4`, `0`.
pub(crate) fn scientific(value: f64) -> String {
    match not_finite(value) {
        Some(word) => word.into(),
        None if value == 0.0 => "0".into(),
        None => format!("{value:.2e}"),
    }
}

/// A cosine: six decimals, which tell apart what is close to 1.
pub(crate) fn cosine(value: f64) -> String {
    not_finite(value).map_or_else(|| format!("{value:.6}"), String::from)
}

/// A share as a percentage with one decimal. What is not nothing does not become `0.0 %`, what is not all not `100.0 %`.
pub(crate) fn percent(share: f64) -> String {
    if let Some(word) = not_finite(share) {
        return word.into();
    }
    let text = format!("{:.1}", share * 100.0);
    match text.as_str() {
        "0.0" | "-0.0" if share > 0.0 => "< 0.1 %".into(),
        "0.0" | "-0.0" if share == 0.0 => "0 %".into(),
        "100.0" if share < 1.0 => "> 99.9 %".into(),
        "100.0" => "100 %".into(),
        _ => format!("{} %", grouped(&text)),
    }
}

/// Share of `whole`; 0 of nothing is 0.
pub(crate) fn share(part: u128, whole: u128) -> f64 {
    if part == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Bytes, with the binary unit people think in: `655,360 (640 KiB)`.
pub(crate) fn bytes(value: u128) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = 0;
    let mut scaled = value as f64;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if unit == 0 { count(value) } else { format!("{} ({} {})", count(value), trimmed(scaled, 4), UNITS[unit]) }
}

/// Seconds with an SI prefix: `19.5 µs`.
pub(crate) fn seconds(value: f64) -> String {
    if let Some(word) = not_finite(value) {
        return word.into();
    }
    if value <= 0.0 {
        return format!("{} s", significant(value, 4));
    }
    prefixed(value, "s")
}

/// Energy in pJ with an SI prefix of joule: `19.5 mJ`.
pub(crate) fn energy(pj: f64) -> String {
    match not_finite(pj) {
        Some(word) => word.into(),
        None if pj <= 0.0 => format!("{} J", significant(pj, 4)),
        None if pj < 999.95 => format!("{} pJ", trimmed(pj, 4)),
        None => prefixed(pj * 1e-12, "J"),
    }
}

/// A positive number with the prefixes from nano to none.
fn prefixed(value: f64, unit: &str) -> String {
    let (scale, prefix) = match value {
        v if v < 0.999_95e-6 => (1e9, "n"),
        v if v < 0.999_95e-3 => (1e6, "µ"),
        v if v < 0.999_95 => (1e3, "m"),
        _ => (1.0, ""),
    };
    format!("{} {prefix}{unit}", trimmed(value * scale, 4))
}

/// [`significant`] without zeros at the end.
pub(crate) fn trimmed(value: f64, digits: usize) -> String {
    let text = significant(value, digits);
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}

/// For machines: every bit of the value, no separators.
pub(crate) fn machine(value: f64) -> String {
    format!("{value:?}")
}

/// Decadic logarithm of a positive finite value for the position of a mark, from basic operations only: the libraries'
/// logarithms differ in the last bit between platforms.
pub(crate) fn decades(value: f64) -> f64 {
    let text = format!("{value:e}");
    let mantissa: f64 = text.split('e').next().and_then(|m| m.parse().ok()).unwrap_or(1.0);
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let mut power = z;
    let mut sum = 0.0;
    for odd in (1..120).step_by(2) {
        sum += power / f64::from(odd);
        power *= z * z;
    }
    f64::from(exponent(&text)) + 2.0 * sum / std::f64::consts::LN_10
}

fn not_finite(value: f64) -> Option<&'static str> {
    match value {
        v if v.is_nan() => Some("not a number"),
        f64::INFINITY => Some("infinite"),
        f64::NEG_INFINITY => Some("-infinite"),
        _ => None,
    }
}

/// The exponent of a number printed with `{:e}`.
fn exponent(printed: &str) -> i32 {
    printed.split('e').nth(1).and_then(|e| e.parse().ok()).unwrap_or(0)
}

fn grouped(digits: &str) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, fraction) = rest.find('.').map_or((rest, ""), |dot| rest.split_at(dot));
    let mut text = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_differences() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1000, 1_234_567].map(count).each_ref().map(|s| &s[..]));
        assert_eq!(count(u128::MAX), "340,282,366,920,938,463,463,374,607,431,768,211,455");
        assert_eq!(difference(1005, 5), "+1,000");
        assert_eq!(difference(5, 1005), "-1,000");
        assert_eq!(difference(7, 7), "0");
    }

    #[test]
    fn significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (4.0625, "4.062"),
            (99.996, "100.0"),
            (0.008_312_3, "0.008312"),
            (0.000_099_999_9, "0.0001000"),
            (0.000_012_3, "1.230e-5"),
            (12_345.6, "12,346"),
            (-12_345.6, "-12,346"),
            (1e9, "1.000e9"),
            (f64::NAN, "not a number"),
            (f64::NEG_INFINITY, "-infinite"),
            (f64::MIN_POSITIVE / 4.0, "5.563e-309"),
        ] {
            assert_eq!(significant(value, 4), text, "{value:e}");
        }
    }

    #[test]
    fn percentages_do_not_round_to_nothing_or_all() {
        for (value, text) in [
            (0.0, "0 %"),
            (1e-9, "< 0.1 %"),
            (0.842, "84.2 %"),
            (0.999_9, "> 99.9 %"),
            (1.0, "100 %"),
            (12.5, "1,250.0 %"),
            (f64::NAN, "not a number"),
        ] {
            assert_eq!(percent(value), text, "{value:e}");
        }
        assert_eq!(share(0, 0), 0.0);
    }

    #[test]
    fn bytes_and_seconds() {
        assert_eq!(bytes(640), "640");
        assert_eq!(bytes(655_360), "655,360 (640 KiB)");
        assert_eq!(bytes(u128::MAX), format!("{} (3.022e23 PiB)", count(u128::MAX)));
        for (value, text) in [
            (0.0, "0 s"),
            (19.456e-6, "19.46 µs"),
            (1e-6, "1 µs"),
            (9.999_999e-4, "1 ms"),
            (2.5e-9, "2.5 ns"),
            (3600.0, "3,600 s"),
            (f64::NAN, "not a number"),
        ] {
            assert_eq!(seconds(value), text, "{value:e}");
        }
    }

    #[test]
    fn decades_are_logarithms() {
        for value in [1.0, 10.0, 9.999_999, 2.0, 1.2e-4, 3.3e-300, 3.3e-310, 1.7e308] {
            assert!((decades(value) - f64::log10(value)).abs() < 1e-9, "{value:e}");
        }
    }
}
