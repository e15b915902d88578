//! The command that a tile runs.

use bitmosaic_arch::{Machine, TermOrder};
use bitmosaic_mappings::{field, read_bits};
use bitmosaic_numerics::term::{DIGIT_BITS, Digits, MAX_PLANES};
use bitmosaic_numerics::{DigitSet, SPECIAL_VALUES, ScaleKind, f16};

use crate::pe::Term;

/// Fields of the command.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) weight_type: usize,
    pub(super) terms: u32,
    pub(super) fraction_bits: u32,
    pub(super) group: u32,
    pub(super) scale_kind: ScaleKind,
    pub(super) tokens: u32,
    pub(super) output_channels: u32,
    pub(super) input_channels: u32,
    pub(super) special_digits: [Digits; SPECIAL_VALUES],
    /// The accumulators go on from the command before, stay for the next one.
    pub(super) continues: bool,
    pub(super) unfinished: bool,
}

impl Running {
    /// Before the first command: as if it were all zeros.
    pub(super) fn none(machine: &Machine) -> Running {
        Running::decode(machine, &[0; 4])
    }

    pub(super) fn decode(machine: &Machine, command: &[u64]) -> Running {
        let at = |(low, bits): (u32, u32)| read_bits(command, low, bits) as u32;
        let place = |i: usize| at((field::SPECIAL_DIGITS.0 + i as u32 * DIGIT_BITS, DIGIT_BITS)) as u8;
        let special = |s: usize| machine.pe.digit_set.from_places(std::array::from_fn(|i| place(s * MAX_PLANES + i)));
        Running {
            weight_type: at(field::WEIGHT_TYPE) as usize % machine.types.len(),
            terms: at(field::TERMS),
            fraction_bits: at(field::FRACTION_BITS),
            group: at(field::GROUP),
            scale_kind: ScaleKind::ALL.get(at(field::SCALE_KIND) as usize).copied().unwrap_or(ScaleKind::Int8),
            tokens: at(field::TOKENS),
            output_channels: at(field::OUTPUT_CHANNELS),
            input_channels: at(field::INPUT_CHANNELS),
            special_digits: std::array::from_fn(special),
            continues: at(field::PART) & 1 == 1,
            unfinished: at(field::PART) & 2 == 2,
        }
    }

    /// What a code beside its neighbour gives in the plane: the digit that the column's term generator makes, or the FP16 number
    /// that it is.
    pub(super) fn term(
        &self,
        machine: &Machine,
        (code, neighbour): (u16, Option<u16>),
        selector: u8,
        plane: u32,
    ) -> Term {
        if machine.pe.digit_set == DigitSet::Fp16 {
            return Term::Number(f16::from_bits(code));
        }
        let table = &machine.types[self.weight_type].table;
        let special = &self.special_digits[usize::from(selector)];
        Term::Digit(table.digits_of(code, neighbour, special)[plane as usize])
    }

    /// Digit plane of a group's first term.
    pub(super) fn first_plane(&self, machine: &Machine) -> u32 {
        match machine.pe.order {
            TermOrder::WeightMajor => 0,
            TermOrder::PlaneMajor => self.terms.saturating_sub(1),
        }
    }
}
