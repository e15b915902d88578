//! The error of the datapath beside the yardsticks: table and sentences.

use std::cmp::Ordering;

use bitmosaic_results::{AccuracyResult, ErrorStatistics};

use crate::number::{scientific, share, trimmed};
use crate::table::{Cell, Column, Table};

/// How the relative errors are defined; belongs beside every one of them.
pub(crate) const DEFINITION: &str = "Relative error of an output: |computed - exact| / sum of |activation x weight|. \
     Exact is the quantized layer in integer arithmetic, so the loss by quantization itself is not in it. Outputs that are \
     not finite are not in mean and maximum.";

/// Why errors that are there say nothing.
const NO_NUMBERS: &str = "the errors are not numbers, or 0 although outputs differ from the exact ones (not finite?)";

/// How the machine compares with a yardstick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No larger in mean and maximum, smaller in one.
    Better,
    /// Equal in both.
    Equal,
    /// One smaller, the other larger.
    Mixed,
    /// No smaller in both, larger in one.
    Worse,
    /// Nothing was compared, an error is not a number, or the errors are 0 although outputs differ.
    Unknown,
}

/// Names in display order with their statistics.
pub(crate) fn rows(accuracy: &AccuracyResult) -> [(&'static str, &'static str, &ErrorStatistics); 3] {
    [
        ("datapath", "this machine", &accuracy.datapath),
        ("FP16 yardstick", "FP16 multiply, FP16 accumulate", &accuracy.fp16_yardstick),
        ("FP32 yardstick", "FP16 multiply, FP32 accumulate", &accuracy.fp32_yardstick),
    ]
}

pub(crate) fn standing(machine: &ErrorStatistics, yardstick: &ErrorStatistics) -> Standing {
    // Outputs that are not finite are in neither mean nor maximum. Errors of 0 beside outputs with other bits than the
    // exact ones mean that there was nothing to average.
    let usable = |s: &ErrorStatistics| {
        let hollow = s.max_relative == 0.0 && s.equal_outputs < s.outputs;
        s.outputs > 0 && s.mean_relative >= 0.0 && s.max_relative >= 0.0 && !hollow
    };
    if !usable(machine) || !usable(yardstick) {
        return Standing::Unknown;
    }
    let mean = machine.mean_relative.total_cmp(&yardstick.mean_relative);
    let max = machine.max_relative.total_cmp(&yardstick.max_relative);
    match (mean, max) {
        (Ordering::Equal, Ordering::Equal) => Standing::Equal,
        (Ordering::Less, Ordering::Greater) | (Ordering::Greater, Ordering::Less) => Standing::Mixed,
        (Ordering::Less, _) | (_, Ordering::Less) => Standing::Better,
        _ => Standing::Worse,
    }
}

/// One sentence: which is better, and by what factor.
pub(crate) fn sentence(machine: &ErrorStatistics, yardstick: &ErrorStatistics, name: &str) -> String {
    let verdict = match standing(machine, yardstick) {
        Standing::Unknown if machine.outputs == 0 || yardstick.outputs == 0 => {
            return format!("No comparison with the {name} yardstick: no outputs were compared.");
        }
        Standing::Unknown => {
            return format!("No comparison with the {name} yardstick: {NO_NUMBERS}.");
        }
        Standing::Better => "better than",
        Standing::Equal => "equal to",
        Standing::Mixed => "neither better nor worse than",
        Standing::Worse => "worse than",
    };
    format!(
        "The datapath is {verdict} the {name} yardstick: its mean error is {}, its largest {}.",
        factor(machine.mean_relative, yardstick.mean_relative),
        factor(machine.max_relative, yardstick.max_relative),
    )
}

/// One row each.
pub(crate) fn table(accuracy: &AccuracyResult) -> Table {
    let columns = vec![
        Column::left("arithmetic"),
        Column::left("what it is"),
        Column::right("mean error"),
        Column::right("largest error"),
        Column::right("bit-equal outputs"),
        Column::right("of all"),
    ];
    let mut table = Table::new("Error against the exact reference", columns);
    for (name, meaning, s) in rows(accuracy) {
        let mut cells = vec![Cell::text(name), Cell::text(meaning)];
        if s.outputs == 0 {
            cells.push(Cell::text("nothing compared"));
        } else {
            let equal = Cell::Share(share(s.equal_outputs.into(), s.outputs.into()));
            cells.extend([Cell::Error(s.mean_relative), Cell::Error(s.max_relative)]);
            cells.extend([Cell::count(s.equal_outputs), equal]);
        }
        table.row(cells);
    }
    table
}

/// Both not negative, perhaps infinite.
fn factor(machine: f64, yardstick: f64) -> String {
    let (smaller, word) = match machine.total_cmp(&yardstick) {
        Ordering::Equal => return format!("the same ({})", scientific(machine)),
        Ordering::Less => (machine, "smaller"),
        Ordering::Greater => (yardstick, "larger"),
    };
    let larger = machine.max(yardstick);
    if smaller == 0.0 || larger == f64::INFINITY {
        return format!("{} instead of {}", scientific(machine), scientific(yardstick));
    }
    let ratio = larger / smaller;
    if ratio == f64::INFINITY {
        return format!("{word} beyond any factor");
    }
    if ratio < 1.1 {
        let change = (machine / yardstick - 1.0).abs() * 100.0;
        return format!("{} percent {word}", trimmed(change, 2));
    }
    format!("{} times {word}", trimmed(ratio, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(mean: f64, max: f64) -> ErrorStatistics {
        ErrorStatistics {
            mean_relative: mean,
            max_relative: max,
            equal_outputs: 1,
            outputs: 2,
            ..ErrorStatistics::default()
        }
    }

    #[test]
    fn factors() {
        assert_eq!(factor(1e-5, 1.43e-4), "14.3 times smaller");
        assert_eq!(factor(1e-3, 1e-7), "10,000 times larger");
        assert_eq!(factor(1.02, 1.0), "2 percent larger");
        assert_eq!(factor(0.0, 1e-4), "0 instead of 1.00e-4");
        assert_eq!(factor(1e-4, 0.0), "1.00e-4 instead of 0");
        assert_eq!(factor(0.0, 0.0), "the same (0)");
        assert_eq!(factor(f64::INFINITY, 1e-4), "infinite instead of 1.00e-4");
        assert_eq!(factor(5e-324, 1e300), "smaller beyond any factor");
    }

    #[test]
    fn sentences_never_claim_without_a_number() {
        let nan = error(f64::NAN, 1.0);
        let none = ErrorStatistics::default();
        let good = error(1e-6, 1e-5);
        for (a, b, expected) in [
            (error(1e-6, 1e-5), error(2e-6, 1e-5), Standing::Better),
            (good, good, Standing::Equal),
            (error(1e-6, 2e-5), good, Standing::Worse),
            (error(1e-7, 2e-5), good, Standing::Mixed),
            (nan, good, Standing::Unknown),
            (good, nan, Standing::Unknown),
            (good, none, Standing::Unknown),
            (error(-1.0, 1.0), good, Standing::Unknown),
            (error(0.0, 0.0), good, Standing::Unknown),
            (ErrorStatistics { equal_outputs: 2, ..error(0.0, 0.0) }, good, Standing::Better),
            (error(1e-6, f64::INFINITY), good, Standing::Worse),
        ] {
            assert_eq!(standing(&a, &b), expected, "{a:?} {b:?}");
            let text = sentence(&a, &b, "FP16");
            assert_eq!(text.starts_with("No comparison"), expected == Standing::Unknown, "{text}");
        }
    }
}
