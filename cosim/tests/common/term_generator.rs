//! Term generator against the canonical tables: every type, code, selector and plane, and every special value that can be
//! programmed.

use bitmosaic_arch::Machine;
use bitmosaic_mappings::read_bits;
use bitmosaic_numerics::term::{DIGIT_BITS, Digits, MAX_PLANES};
use bitmosaic_numerics::{CodeValue, DigitSet, SPECIAL_VALUES};
use bitmosaic_rtl::netlist::Module;

use super::bench;

/// All inputs that a program can give.
pub fn check(machine: &Machine, module: &Module) -> Result<(), String> {
    let mut simulator = bench::simulator(module)?;
    let names = ["code_i", "selector_i", "weight_type_i", "plane_i", "special_digits_i"];
    let [code_port, selector_port, type_port, plane_port, special_port] = bench::inputs(&simulator, names);
    let [digit_port] = bench::outputs(&simulator, ["digit_o"]);
    let (lanes, bits, set) = (machine.pe.lanes as usize, machine.code_bits, machine.pe.digit_set);
    let digit_bits = machine.pe.digit_bits;
    for (t, executed) in machine.types.iter().enumerate() {
        let codes = executed.weight_type.codes.iter().enumerate();
        let codes: Vec<usize> = codes.filter(|(_, c)| **c != CodeValue::Unused).map(|(code, _)| code).collect();
        simulator.set(type_port, t as u64);
        for special in programs(set, executed.table.terms, executed.weight_type.special.is_some()) {
            simulator.set_wide(special_port, &pack(set, &special));
            for (selector, own) in special.iter().enumerate() {
                simulator.set(selector_port, selector as u64);
                for plane in 0..executed.table.terms {
                    simulator.set(plane_port, plane as u64);
                    // Where weights stand in pairs, every pair of codes.
                    let pairs = if executed.table.victim.is_some() { codes.len() } else { 1 };
                    for (first, second) in (0..codes.len()).flat_map(|first| (0..pairs).map(move |s| (first, s))) {
                        let code = |lane: usize| codes[(first + 3 * lane + lane % 2 * second) % codes.len()];
                        let neighbour = |lane: usize| (lanes > 1).then(|| code(lane ^ 1) as u16);
                        let mut words = [0u64; 2];
                        for lane in 0..lanes {
                            put(&mut words, lane as u32 * bits, code(lane) as u64);
                        }
                        simulator.set_wide(code_port, &words);
                        simulator.settle();
                        let digits = simulator.get_wide(&digit_port);
                        for lane in 0..lanes {
                            let canonical = executed.table.digits_of(code(lane) as u16, neighbour(lane), own);
                            let expected = set.encode(canonical[plane]) & (u8::MAX >> (8 - digit_bits));
                            let found = read_bits(&digits, lane as u32 * digit_bits, digit_bits) as u8;
                            if found != expected {
                                return Err(format!(
                                    "{} code {} beside {:?} selector {selector} plane {plane} lane {lane}: digit \
                                     {found:#b}, should be {expected:#b}",
                                    executed.weight_type.name,
                                    code(lane),
                                    neighbour(lane)
                                ));
                            }
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sets of special values: every value that `terms` planes reach, each under every selector.
fn programs(set: DigitSet, terms: usize, is_programmable: bool) -> Vec<[Digits; SPECIAL_VALUES]> {
    let limit = i64::from(set.largest_value(terms));
    let reachable: Vec<Digits> = (-limit..=limit).filter_map(|v| set.canonical_digits(v, terms)).collect();
    let count = if is_programmable { reachable.len() } else { 1 };
    (0..count).map(|i| std::array::from_fn(|s| reachable[(i + 7 * s) % reachable.len()])).collect()
}

/// Zeros with a sign: they stand for the same.
fn pack(set: DigitSet, special: &[Digits; SPECIAL_VALUES]) -> [u64; 1] {
    let mut words = [0];
    let negative_zero = if set.is_sign_magnitude() { 1 << set.magnitude_bits() } else { 0 };
    for (i, place) in special.iter().flat_map(|digits| set.to_places(digits)).enumerate() {
        put(&mut words, i as u32 * DIGIT_BITS, if place == 0 { negative_zero } else { place.into() });
    }
    const { assert!(SPECIAL_VALUES as u32 * MAX_PLANES as u32 * DIGIT_BITS <= 64) }
    words
}

/// Ors a field into words; it may cross two.
fn put(words: &mut [u64], at: u32, value: u64) {
    let (word, shift) = ((at / 64) as usize, at % 64);
    words[word] |= value << shift;
    if shift > 0 && value >> (64 - shift) > 0 {
        words[word + 1] |= value >> (64 - shift);
    }
}
