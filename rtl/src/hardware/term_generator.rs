//! Term generator of a column: the digit of every lane's code in the current plane.

use bitmosaic_arch::Machine;
use bitmosaic_numerics::term::{DIGIT_BITS, MAX_PLANES};
use bitmosaic_numerics::{SPECIAL_VALUES, TermTable};

use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// A table entry is the digit, and a mark above it where the group's special value stands; its bits are rounded up to this
/// pitch, of which a 64-bit constant holds a power of two.
fn pitch(digit_bits: u32) -> u32 {
    (digit_bits + 1).next_power_of_two()
}

/// Module `term_generator`. The tables are the canonical ones of `bitmosaic_numerics::TermTable`.
pub(super) fn term_generator(machine: &Machine) -> Result<Module, NetlistError> {
    let (lanes, bits, planes) = (machine.pe.lanes, machine.code_bits, machine.max_terms);
    let names: Vec<_> = machine.types.iter().map(|t| t.weight_type.name).collect();
    let mut m = ModuleBuilder::new(
        "term_generator",
        &format!(
            "Term generator of a column: digit of each lane's code in the current plane.\nWeight types by index: {}.",
            names.join(", ")
        ),
    );
    let codes = m.input("code_i", lanes * bits, "codes of the column's lanes");
    let selector = m.input("selector_i", 2, "special value of the column's group");
    let weight_type = m.input("weight_type_i", index_bits(machine.types.len() as u32), "weight type of the command");
    let plane = m.input("plane_i", index_bits(planes), "digit plane");
    let digit_bits = machine.pe.digit_set.bits();
    let special_bits = SPECIAL_VALUES as u32 * MAX_PLANES as u32 * DIGIT_BITS;
    let special = m.input("special_digits_i", special_bits, "digits of the special values: selector, then plane");

    let values: Vec<Net> = (0..SPECIAL_VALUES as u32)
        .map(|s| {
            let place = |k: u32| (s * MAX_PLANES as u32 + k) * DIGIT_BITS;
            let digits: Vec<Net> = (0..planes).map(|k| m.slice(special, place(k), digit_bits)).collect();
            m.select(plane, &digits)
        })
        .collect();
    let special_digit = m.select(selector, &values);
    let special_digit = m.name(special_digit, "special_digit", "digit of the group's special value in this plane");
    // A machine may have one type, no special values, fewer planes than a command has room for.
    for input in [special, selector, weight_type, plane] {
        m.ignore(input);
    }

    let mut digits = Vec::new();
    for lane in 0..lanes {
        let code = m.slice(codes, lane * bits, bits);
        // Types of one table share its lookup.
        let mut tables: Vec<(&TermTable, Net)> = Vec::new();
        let by_type: Vec<Net> = machine
            .types
            .iter()
            .map(|t| {
                if let Some((_, digit)) = tables.iter().find(|(table, _)| **table == t.table) {
                    return *digit;
                }
                // A type looks up its own code width in its own planes: above them its digits are zero, and no command
                // of the type asks for them.
                let code = m.slice(code, 0, t.weight_type.code_bits);
                let by_plane: Vec<Net> = (0..t.table.terms)
                    .map(|k| {
                        let entry = |code: usize| match t.table.digits.get(code) {
                            Some(Some(digits)) => u64::from(machine.pe.digit_set.encode(digits[k])),
                            _ => 1 << digit_bits,
                        };
                        lookup(&mut m, code, digit_bits, &entry)
                    })
                    .collect();
                let own_plane = m.slice(plane, 0, index_bits(t.table.terms as u32));
                let digit = m.select(own_plane, &by_plane);
                tables.push((&t.table, digit));
                digit
            })
            .collect();
        let entry = m.select(weight_type, &by_type);
        let digit = m.slice(entry, 0, digit_bits);
        let is_special = m.bit(entry, digit_bits);
        digits.push(m.mux(is_special, special_digit, digit));
    }
    let digits = m.concat(&digits);
    m.output("digit_o", digits, "digits of the lanes");
    m.finish()
}

/// Table lookup: as many entries as fit a 64-bit constant, which the code shifts; longer tables are chosen among by its high
/// bits.
fn lookup(m: &mut ModuleBuilder, code: Net, digit_bits: u32, entry: &dyn Fn(usize) -> u64) -> Net {
    let pitch = pitch(digit_bits);
    let low_bits = code.width.min((64 / pitch).ilog2());
    let low = m.slice(code, 0, low_bits);
    let zeros = m.constant(0, pitch.ilog2());
    let amount = m.concat(&[zeros, low]);
    let words: Vec<Net> = (0..1usize << (code.width - low_bits))
        .map(|high| {
            let word = (0..1usize << low_bits).rev().fold(0, |w, i| w << pitch | entry(high << low_bits | i));
            let table = m.constant(word, pitch << low_bits);
            let shifted = m.shift_right(table, amount);
            m.slice(shifted, 0, digit_bits + 1)
        })
        .collect();
    if words.len() == 1 {
        return words[0];
    }
    let high = m.slice(code, low_bits, code.width - low_bits);
    m.select(high, &words)
}
