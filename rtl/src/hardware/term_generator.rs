//! Term generator of a column: the digit of every lane's code in the current plane. Two's complement types share a recoder,
//! or are cut into digits that are in two's complement too; the others look their digits up. Where lanes multiply by
//! significands it is the decoder at the edge of the array that ANT and OliVe have.

use bitmosaic_arch::{ExecutedType, Machine};
use bitmosaic_numerics::term::{DIGIT_BITS, Digit, MAX_PLANES};
use bitmosaic_numerics::{CodeValue, DigitSet, SPECIAL_VALUES, TermTable, WeightType};

use super::recoder::recode;
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `term_generator`. The digits are the canonical ones of `bitmosaic_numerics::TermTable`. What no program asks for is not
/// defined: codes without a weight, planes from the type's terms on.
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
    let (digit_set, digit_bits) = (machine.pe.digit_set, machine.pe.digit_bits);
    let special_bits = SPECIAL_VALUES as u32 * MAX_PLANES as u32 * DIGIT_BITS;
    let special = m.input("special_digits_i", special_bits, "digits of the special values: selector, then plane");

    let values: Vec<Net> = (0..SPECIAL_VALUES as u32)
        .map(|s| {
            let place = |k: u32| (s * MAX_PLANES as u32 + k * digit_set.places() as u32) * DIGIT_BITS;
            let digits: Vec<Net> = (0..planes).map(|k| m.slice(special, place(k), digit_bits)).collect();
            m.select(plane, &digits)
        })
        .collect();
    let special_digit = m.select(selector, &values);
    let special_digit = m.name(special_digit, "special_digit", "digit of the group's special value in this plane");
    let special_digit = if digit_set.is_sign_magnitude() {
        let magnitude = m.slice(special_digit, 0, digit_set.magnitude_bits());
        let sign = m.bit(special_digit, digit_set.magnitude_bits());
        signed_digit(&mut m, magnitude, sign)
    } else {
        special_digit
    };
    // A machine may have one type, no special values, fewer planes than a command has room for.
    for input in [codes, special, selector, weight_type, plane] {
        m.ignore(input);
    }

    // What gives the digits of each type: the recoder, or the table of one of the types, which others may share.
    let mut sources: Vec<Option<&ExecutedType>> = Vec::new();
    let source_of: Vec<u64> = machine
        .types
        .iter()
        .map(|t| {
            let source = (!is_recoded(t)).then_some(t);
            let shared = |s: &Option<&ExecutedType>| s.map(|s| &s.table) == source.map(|s| &s.table);
            let place = sources.iter().position(shared).unwrap_or_else(|| {
                sources.push(source);
                sources.len() - 1
            });
            place as u64
        })
        .collect();
    let source = by_type(&mut m, weight_type, &source_of, index_bits(sources.len() as u32));
    let recoded = sources.contains(&None).then(|| recoded_digits(&mut m, machine, codes, weight_type, plane));
    let special_codes = special_codes(machine);
    let has_special: Vec<Net> = special_codes
        .iter()
        .map(|code| {
            let has: Vec<u64> =
                machine.types.iter().map(|t| (special_code(&t.weight_type) == Some(*code)).into()).collect();
            by_type(&mut m, weight_type, &has, 1)
        })
        .collect();

    let mut digits = Vec::new();
    for lane in 0..lanes {
        let code = m.slice(codes, lane * bits, bits);
        let by_source: Vec<Net> = sources
            .iter()
            .map(|source| match (source, &recoded) {
                (Some(t), _) => {
                    let place = place(&mut m, t, codes, (lane, bits));
                    digit_of(&mut m, t, place, plane, digit_bits)
                }
                (None, Some(recoded)) => recoded[lane as usize],
                (None, None) => m.constant(0, digit_bits),
            })
            .collect();
        let digit = m.select(source, &by_source);
        let is_special: Vec<Net> = special_codes
            .iter()
            .zip(&has_special)
            .map(|(&(code_bits, special), has)| {
                let (own, special) = (m.slice(code, 0, code_bits), m.constant(special, code_bits));
                let is_it = m.eq(own, special);
                m.and(is_it, *has)
            })
            .collect();
        let is_special = m.or_all(&is_special);
        digits.push(m.mux(is_special, special_digit, digit));
    }
    let digits = m.concat(&digits);
    m.output("digit_o", digits, "digits of the lanes");
    m.finish()
}

/// A constant of each weight type; an index behind the last type is the last.
fn by_type(m: &mut ModuleBuilder, weight_type: Net, values: &[u64], width: u32) -> Net {
    let values: Vec<Net> = values.iter().map(|v| m.constant(*v, width)).collect();
    m.select(weight_type, &values)
}

/// Whether the recoder gives the digits: integers in two's complement, in the planes that their bits fill.
fn is_recoded(executed: &ExecutedType) -> bool {
    executed.table.digit_set == DigitSet::Radix4
        && executed.table.terms == executed.weight_type.code_bits.div_ceil(2) as usize
        && is_integer_type(executed)
}

/// Whether codes are integers in two's complement.
fn is_integer_type(executed: &ExecutedType) -> bool {
    let bits = executed.weight_type.code_bits;
    let is_integer = |(code, value): (usize, &CodeValue)| {
        let code = code as i64;
        match value {
            CodeValue::Value(v) => *v == code - ((code >> (bits - 1)) << bits),
            CodeValue::Special | CodeValue::Paired { .. } | CodeValue::Victim => false,
            CodeValue::Unused => true,
        }
    };
    executed.weight_type.codes.iter().enumerate().all(is_integer)
}

/// Digits of all lanes, as the recoder gives them for the types that are recoded.
fn recoded_digits(m: &mut ModuleBuilder, machine: &Machine, codes: Net, weight_type: Net, plane: Net) -> Vec<Net> {
    let lanes = machine.pe.lanes;
    let width = |t: &ExecutedType| is_recoded(t).then_some(t.weight_type.code_bits);
    let mut widths: Vec<u32> = machine.types.iter().filter_map(width).collect();
    widths.sort_unstable();
    widths.dedup();
    let widest = widths[widths.len() - 1];
    let mut bits: Vec<Net> = (0..widest)
        .map(|bit| {
            let of_lanes: Vec<Net> = (0..lanes).map(|lane| m.bit(codes, lane * machine.code_bits + bit)).collect();
            let of_lanes = m.concat(&of_lanes);
            m.name(of_lanes, &format!("code_{bit}"), "a bit of every code")
        })
        .collect();
    bits.extend((widest % 2 == 1).then(|| bits[widest as usize - 1]));
    let filled = bits.len();
    // The sign of a narrower type fills the pair that it is in and the next: the digits below depend on no more.
    for narrow in widths[..widths.len() - 1].iter().rev() {
        let is_narrow: Vec<u64> = machine.types.iter().map(|t| (width(t) == Some(*narrow)).into()).collect();
        let is_narrow = by_type(m, weight_type, &is_narrow, 1);
        let sign = bits[*narrow as usize - 1];
        let end = narrow.next_multiple_of(2) as usize + 2;
        for bit in bits[..end.min(filled)].iter_mut().skip(*narrow as usize) {
            *bit = m.mux(is_narrow, sign, *bit);
        }
    }
    let digit = recode(m, &bits, plane);
    let lane = |lane| {
        let bits = digit.map(|bits| m.bit(bits, lane));
        m.concat(&bits)
    };
    (0..lanes).map(lane).collect()
}

/// Code and bits of a type's special value, if it has one.
fn special_code(weight_type: &WeightType) -> Option<(u32, u64)> {
    Some((weight_type.code_bits, weight_type.special_code()?.into()))
}

/// The special codes that types of the machine have, each once.
fn special_codes(machine: &Machine) -> Vec<(u32, u64)> {
    let mut codes: Vec<(u32, u64)> = machine.types.iter().filter_map(|t| special_code(&t.weight_type)).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Place of a lane's code in the type's table: its bits, and above them, where weights stand in pairs, whether the other lane of
/// the pair holds a victim.
fn place(m: &mut ModuleBuilder, executed: &ExecutedType, codes: Net, (lane, bits): (u32, u32)) -> Net {
    let own_bits = executed.weight_type.code_bits;
    let own = m.slice(codes, lane * bits, own_bits);
    let Some(victim) = executed.table.victim else { return own };
    let neighbour = m.slice(codes, (lane ^ 1) * bits, own_bits);
    let victim = m.constant(victim.into(), own_bits);
    let beside_victim = m.eq(neighbour, victim);
    let doc = "the other lane of the pair holds a victim";
    let beside_victim = m.name(beside_victim, &format!("beside_victim_{lane}"), doc);
    m.concat(&[own, beside_victim])
}

/// The digit of a code in this plane: bits of it where type and digits are in two's complement, otherwise by table.
fn digit_of(m: &mut ModuleBuilder, executed: &ExecutedType, place: Net, plane: Net, digit_bits: u32) -> Net {
    let TermTable { digit_set, terms, digits, .. } = &executed.table;
    if digit_set.is_sign_magnitude() {
        return signed_lookup(m, executed, place, plane);
    }
    let (code_bits, radix_bits) = (executed.weight_type.code_bits, digit_set.radix_bits());
    if !digit_set.is_twos_complement() || !is_integer_type(executed) {
        let mask = (1 << digit_bits) - 1;
        let entry = |code: usize, k: usize| {
            let digit = if k < *terms { digits[code].map(|d| d[k]) } else { None };
            u64::from(digit_set.encode(digit.unwrap_or_default())) & mask
        };
        return lookup(m, (place, place.width), (plane, *terms), digit_bits, entry);
    }
    let last = *terms as u32 - 1;
    let own = m.as_signed(place);
    let signed = m.extend(own, radix_bits * last + digit_bits.max(code_bits));
    let parts: Vec<Net> = (0..=last)
        .map(|k| {
            let part = m.slice(signed, radix_bits * k, if k < last { radix_bits } else { digit_bits });
            m.extend(part, digit_bits)
        })
        .collect();
    let plane = m.slice(plane, 0, index_bits(*terms as u32));
    m.select(plane, &parts)
}

/// The digit of a code as the type's table has it in this plane. Where the highest bit of the place only changes signs, the table
/// has the other half.
fn signed_lookup(m: &mut ModuleBuilder, executed: &ExecutedType, place: Net, plane: Net) -> Net {
    let TermTable { digit_set, terms, digits, .. } = &executed.table;
    let half = digits.len() / 2;
    let digit = |code: usize, k: usize| if k < *terms { digits[code].map(|d| d[k]) } else { None };
    let negated = |code: usize, k: usize| match (digit(code, k), digit(half + code, k)) {
        (Some(a), Some(b)) => a.value() == -b.value(),
        (None, Some(_)) => false,
        (_, None) => true,
    };
    let is_signed = half > 1 && (0..half).all(|code| (0..*terms).all(|k| negated(code, k)));
    let rows = if is_signed { half } else { digits.len() };
    let entry = |code: usize, k: usize| digit_set.encode(digit(code, k).unwrap_or(Digit::default())).into();
    let bits = place.width - u32::from(is_signed);
    let found = lookup(m, (place, bits), (plane, *terms), digit_set.bits(), entry);
    if !is_signed {
        return found;
    }
    let magnitude = m.slice(found, 0, digit_set.magnitude_bits());
    let sign = m.bit(found, digit_set.magnitude_bits());
    let code_sign = m.bit(place, place.width - 1);
    let is_negative = (0..rows).any(|code| (0..*terms).any(|k| digit(code, k).is_some_and(|d| d.value() < 0)));
    let sign = if is_negative { m.xor(sign, code_sign) } else { code_sign };
    signed_digit(m, magnitude, sign)
}

/// A table by the lower bits of a code and, where a type has several, by plane: `entry` of both, `width` bits.
fn lookup(
    m: &mut ModuleBuilder,
    (code, bits): (Net, u32),
    (plane, terms): (Net, usize),
    width: u32,
    entry: impl Fn(usize, usize) -> u64,
) -> Net {
    let index_planes = if terms > 1 { 1 << index_bits(terms as u32) } else { 1 };
    // Constants of one value are one net.
    let constants: Vec<Net> = (0..1u64 << width).map(|v| m.constant(v, width)).collect();
    let entries: Vec<Net> = (0..index_planes)
        .flat_map(|k| (0..1usize << bits).map(move |code| (code, k)))
        .map(|(code, k)| constants[entry(code, k) as usize])
        .collect();
    let mut index = vec![m.slice(code, 0, bits)];
    if terms > 1 {
        index.push(m.slice(plane, 0, index_bits(terms as u32)));
    }
    let index = m.concat(&index);
    m.select(index, &entries)
}

/// A digit; zero has no sign.
fn signed_digit(m: &mut ModuleBuilder, magnitude: Net, sign: Net) -> Net {
    let some = m.reduce_or(magnitude);
    let sign = m.and(some, sign);
    m.concat(&[magnitude, sign])
}
