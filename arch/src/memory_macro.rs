//! Memory macros of a technology by entries and bits.

use serde::{Deserialize, Serialize};

use crate::ArchError;

/// Memories with one read and one write port, by entries and bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryTable {
    /// Where the figures come from.
    pub source: String,
    /// A macro for each pair of a number of entries and a number of bits: in the order of the entries, then of the bits.
    pub macros: Vec<MemoryMacro>,
}

/// A memory with one read and one write port.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryMacro {
    /// Entries.
    pub entries: u32,
    /// Bits of an entry.
    pub bits: u32,
    /// Energy of reading an entry.
    pub read_pj: f64,
    /// Energy of writing an entry.
    pub write_pj: f64,
    /// Power while nothing happens.
    pub leakage_mw: f64,
    /// Area.
    pub mm2: f64,
}

impl MemoryMacro {
    /// Energy, power and area, with their names in the file.
    pub(crate) fn figures(&self) -> [(&'static str, f64); 4] {
        [
            ("memory.macros.read_pj", self.read_pj),
            ("memory.macros.write_pj", self.write_pj),
            ("memory.macros.leakage_mw", self.leakage_mw),
            ("memory.macros.mm2", self.mm2),
        ]
    }

    /// `share` of the way to another macro.
    fn towards(self, other: MemoryMacro, share: f64) -> MemoryMacro {
        let between = |a: f64, b: f64| a + (b - a) * share;
        MemoryMacro {
            read_pj: between(self.read_pj, other.read_pj),
            write_pj: between(self.write_pj, other.write_pj),
            leakage_mw: between(self.leakage_mw, other.leakage_mw),
            mm2: between(self.mm2, other.mm2),
            ..self
        }
    }
}

impl MemoryTable {
    fn entries(&self) -> Vec<u32> {
        let mut entries: Vec<u32> = self.macros.iter().map(|m| m.entries).collect();
        entries.dedup();
        entries
    }

    fn bits(&self) -> Vec<u32> {
        let first = self.macros.first().map_or(0, |m| m.entries);
        self.macros.iter().take_while(|m| m.entries == first).map(|m| m.bits).collect()
    }

    /// Whether every pair of entries and bits is there, in order.
    pub(crate) fn is_grid(&self) -> bool {
        let (entries, bits) = (self.entries(), self.bits());
        let rises = |of: &[u32]| of.windows(2).all(|pair| pair[0] < pair[1]);
        let pairs = entries.iter().flat_map(|e| bits.iter().map(move |b| (*e, *b)));
        rises(&entries) && rises(&bits) && !bits.is_empty() && self.macros.iter().map(|m| (m.entries, m.bits)).eq(pairs)
    }

    /// A memory of `entries` x `bits`: between the macros around it in proportion. A smaller one than the smallest macro takes
    /// that macro; a wider one than the widest is made of equal macros side by side.
    ///
    /// # Errors
    /// `Field` for more entries than the table has: nothing is extrapolated.
    pub fn at(&self, entries: u32, bits: u32) -> Result<MemoryMacro, ArchError> {
        let (all_entries, all_bits) = (self.entries(), self.bits());
        let (widest, deepest) = (all_bits.last().copied().unwrap_or(1), all_entries.last().copied().unwrap_or(0));
        if entries > deepest {
            return Err(ArchError::Field {
                file: "technology".into(),
                field: "memory.macros".into(),
                found: format!("asked for a memory of {entries} entries"),
                expected: format!(
                    "the table goes to {deepest}: lower `buffers.weight_chunks`, `activation_chunks`, `groups` or `blocks` of the \
                     design, or measure more macros (scripts/sram)"
                ),
            });
        }
        let side_by_side = bits.div_ceil(widest).max(1);
        let own_bits = bits.div_ceil(side_by_side);
        let (low, high, share) = around(&all_entries, entries);
        let (left, right, across) = around(&all_bits, own_bits);
        let row = |row: usize| {
            let at = |column: usize| self.macros[row * all_bits.len() + column];
            at(left).towards(at(right), across)
        };
        let one = row(low).towards(row(high), share);
        let all = |of: f64| of * f64::from(side_by_side);
        Ok(MemoryMacro {
            entries,
            bits,
            read_pj: all(one.read_pj),
            write_pj: all(one.write_pj),
            leakage_mw: all(one.leakage_mw),
            mm2: all(one.mm2),
        })
    }
}

/// Positions of the points on both sides of `value`, and its share of the way between them; the first one for less than it.
fn around(points: &[u32], value: u32) -> (usize, usize, f64) {
    let high = points.iter().position(|point| *point >= value).unwrap_or(points.len() - 1);
    if high == 0 || points[high] == value {
        return (high, high, 0.0);
    }
    let (below, above) = (points[high - 1], points[high]);
    (high - 1, high, f64::from(value - below) / f64::from(above - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table whose figures are those of a formula that is linear in either size.
    fn table() -> MemoryTable {
        let point = |entries: u32, bits: u32| MemoryMacro {
            entries,
            bits,
            read_pj: formula(entries, bits),
            write_pj: 2.0 * formula(entries, bits),
            leakage_mw: 3.0 * formula(entries, bits),
            mm2: 4.0 * formula(entries, bits),
        };
        let macros = [64, 128, 512].into_iter().flat_map(|e| [8, 32, 64].map(|b| point(e, b))).collect();
        MemoryTable { source: String::new(), macros }
    }

    fn formula(entries: u32, bits: u32) -> f64 {
        1.0 + f64::from(entries) / 64.0 + f64::from(bits) / 8.0 + f64::from(entries * bits) / 1024.0
    }

    #[test]
    fn between_the_macros_in_proportion() {
        let table = table();
        assert!(table.is_grid());
        for (entries, bits) in [(64, 8), (512, 64), (100, 8), (64, 20), (300, 50), (511, 63)] {
            let found = table.at(entries, bits).unwrap();
            let expected = formula(entries, bits);
            for (figure, times) in
                [found.read_pj, found.write_pj, found.leakage_mw, found.mm2].iter().zip([1.0, 2.0, 3.0, 4.0])
            {
                assert!((figure - times * expected).abs() < 1e-9, "{entries} x {bits}: {found:?}");
            }
        }
    }

    #[test]
    fn the_smallest_below_and_several_beside_each_other() {
        let table = table();
        assert_eq!(table.at(2, 1).unwrap().read_pj, formula(64, 8));
        assert_eq!(table.at(64, 128).unwrap().read_pj, 2.0 * formula(64, 64));
        // Three macros of 50 bits.
        assert!((table.at(64, 150).unwrap().mm2 - 3.0 * 4.0 * formula(64, 50)).abs() < 1e-9);
        let error = table.at(513, 8).unwrap_err().to_string();
        assert!(error.contains("memory.macros") && error.contains("513") && error.contains("512"), "{error}");
    }
}
