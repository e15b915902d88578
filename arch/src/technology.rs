//! Technologies as data: what an event costs in energy and a part in area, each figure with its source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ArchError;
use crate::designs::read_file;
use crate::memory_macro::{MemoryMacro, MemoryTable};

macro_rules! technologies {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../technologies/", $name, ".toml")))),*]
    };
}

/// Names and texts of the embedded technologies, in the order of listings; the first is the default. Adding one is a file in
/// `arch/technologies/` and a name here.
pub const TECHNOLOGIES: [(&str, &str); 2] = technologies!("hpca25-28nm", "low-power-28nm");

/// A technology file of `arch/technologies/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Technology {
    /// Name.
    pub name: String,
    /// One line for listings.
    pub summary: String,
    /// Where the figures come from.
    pub source: String,
    /// Clock that the figures hold for, in MHz.
    pub clock_mhz: u32,
    /// Energy of a bit to or from DRAM where no memory device says better.
    pub dram_pj_per_bit: f64,
    /// Logic.
    pub logic: Logic,
    /// Memories on the chip.
    pub memory: MemoryTable,
    /// A publication's processing elements by kind; only the engine that renders its model reads them.
    #[serde(default)]
    pub processing_elements: BTreeMap<String, ProcessingElementCost>,
    /// A publication's buffer, likewise.
    pub sram: Option<Sram>,
}

/// What logic costs, by what the netlist counts of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logic {
    /// Where the figures come from.
    pub source: String,
    /// Area of a two-input gate equivalent.
    pub um2_per_gate: f64,
    /// Area of a flip-flop.
    pub um2_per_flip_flop: f64,
    /// Energy of a busy cycle of a µm² of logic.
    pub pj_per_um2_cycle: f64,
    /// Energy of an elementwise operation of the vector unit: an FP16 multiply-add.
    pub pj_per_vector_operation: f64,
}

/// Energy and area of a processing element.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessingElementCost {
    /// Energy of a busy cycle.
    pub pj_per_cycle: f64,
    /// Area.
    pub um2: f64,
}

/// A buffer of one size by the width of its bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sram {
    /// Bytes.
    pub bytes: u64,
    /// Points in the order of their width.
    pub widths: Vec<SramWidth>,
}

/// Energy and area of the buffer with a bus of this width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SramWidth {
    /// Width of the bus.
    pub bits: u32,
    /// Energy of reading its width.
    pub read_pj: f64,
    /// Energy of writing its width.
    pub write_pj: f64,
    /// Area.
    pub mm2: f64,
}

impl Sram {
    /// The buffer with a bus of `bits`: a point of the table, or between two of them in proportion.
    ///
    /// # Errors
    /// `Field` for a width outside the table: nothing is extrapolated.
    pub fn at(&self, bits: u32) -> Result<SramWidth, ArchError> {
        let above = self.widths.iter().position(|point| point.bits >= bits);
        let outside = || ArchError::Field {
            file: "technology".into(),
            field: "sram.widths".into(),
            found: format!("asked for a bus of {bits} bits"),
            expected: format!(
                "the table goes from {} to {} bits: measure another point",
                self.widths.first().map_or(0, |w| w.bits),
                self.widths.last().map_or(0, |w| w.bits)
            ),
        };
        let high = self.widths[above.ok_or_else(outside)?];
        if high.bits == bits {
            return Ok(high);
        }
        let low = above.and_then(|i| i.checked_sub(1)).map(|i| self.widths[i]).ok_or_else(outside)?;
        let share = f64::from(bits - low.bits) / f64::from(high.bits - low.bits);
        let between = |a: f64, b: f64| a + (b - a) * share;
        Ok(SramWidth {
            bits,
            read_pj: between(low.read_pj, high.read_pj),
            write_pj: between(low.write_pj, high.write_pj),
            mm2: between(low.mm2, high.mm2),
        })
    }
}

impl Technology {
    /// Parses a technology file; unknown keys are errors. `file` names the origin in errors.
    ///
    /// # Errors
    /// `Syntax`, or `Field` for figures that no technology has.
    pub fn parse(text: &str, file: &str) -> Result<Technology, ArchError> {
        let technology: Technology = toml::from_str(text)
            .map_err(|e| ArchError::Syntax { file: file.to_string(), message: e.to_string().trim_end().to_string() })?;
        let field = |field: &str, found: f64, expected: &str| ArchError::Field {
            file: file.to_string(),
            field: field.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
        };
        let logic = &technology.logic;
        let mut figures = vec![
            ("dram_pj_per_bit", technology.dram_pj_per_bit),
            ("logic.um2_per_gate", logic.um2_per_gate),
            ("logic.um2_per_flip_flop", logic.um2_per_flip_flop),
            ("logic.pj_per_um2_cycle", logic.pj_per_um2_cycle),
            ("logic.pj_per_vector_operation", logic.pj_per_vector_operation),
        ];
        figures.extend(technology.memory.macros.iter().flat_map(MemoryMacro::figures));
        figures.extend(technology.processing_elements.values().flat_map(|pe| {
            [("processing_elements.pj_per_cycle", pe.pj_per_cycle), ("processing_elements.um2", pe.um2)]
        }));
        let widths = technology.sram.as_ref().map_or(&[][..], |sram| &sram.widths);
        figures.extend(widths.iter().flat_map(|w| {
            [("sram.widths.read_pj", w.read_pj), ("sram.widths.write_pj", w.write_pj), ("sram.widths.mm2", w.mm2)]
        }));
        for (name, value) in figures {
            if !(value.is_finite() && value > 0.0) {
                return Err(field(name, value, "a positive number"));
            }
        }
        let pairs = widths.windows(2).find(|pair| pair[0].bits >= pair[1].bits);
        if let Some(pair) = pairs {
            return Err(field("sram.widths.bits", f64::from(pair[1].bits), "widths that rise"));
        }
        if technology.sram.as_ref().is_some_and(|sram| sram.widths.is_empty() || sram.bytes == 0) {
            return Err(field("sram", 0.0, "at least one width and one byte"));
        }
        if !technology.memory.is_grid() {
            let expected = "a macro for each pair of entries and bits, in rising order of entries, then of bits";
            return Err(field("memory.macros", technology.memory.macros.len() as f64, expected));
        }
        Ok(technology)
    }

    /// An embedded technology by name, or a technology file by path.
    ///
    /// # Errors
    /// `NotFound`, `Syntax` or `Field`.
    pub fn load(name_or_path: &str) -> Result<Technology, ArchError> {
        match TECHNOLOGIES.iter().find(|(name, _)| *name == name_or_path) {
            Some((name, text)) => Technology::parse(text, name),
            None => {
                let names = TECHNOLOGIES.map(|(name, _)| name);
                Technology::parse(&read_file("technology", name_or_path, &names)?, name_or_path)
            }
        }
    }

    /// The sheet of the BitMoD paper.
    ///
    /// # Errors
    /// None: the file is embedded and tested.
    pub fn hpca25_28nm() -> Result<Technology, ArchError> {
        Technology::load("hpca25-28nm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buses_between_the_points_are_interpolated_and_none_outside() {
        let sram = Technology::hpca25_28nm().unwrap().sram.unwrap();
        assert_eq!(sram.at(512).unwrap().read_pj, 92.7944);
        let between = sram.at(768).unwrap();
        assert!((between.write_pj - (89.3432 + (156.0904 - 89.3432) * 192.0 / 448.0)).abs() < 1e-9);
        for bits in [0, 191, 1025] {
            assert!(sram.at(bits).unwrap_err().to_string().contains("192 to 1024"));
        }
    }

    #[test]
    fn impossible_figures_are_refused() {
        let text = include_str!("../technologies/hpca25-28nm.toml");
        for (right, wrong, field) in [
            ("dram_pj_per_bit = 18.75", "dram_pj_per_bit = nan", "dram_pj_per_bit"),
            ("um2 = 1968.7", "um2 = -1", "um2"),
            ("bits = 256", "bits = 192", "sram.widths.bits"),
            ("clock_mhz", "clock_ghz", "clock_ghz"),
        ] {
            let error = Technology::parse(&text.replacen(right, wrong, 1), "file").unwrap_err().to_string();
            assert!(error.contains("file") && error.contains(field), "{error}");
        }
    }
}
