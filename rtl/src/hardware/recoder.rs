//! Digits of two's complement integers without tables: the canonical ones of the digit set `radix4`, for codes of any width.
//!
//! A code is read in pairs of bits, plane k's at 2k. With the carry from below a pair is 0 to 4; it leaves a carry of 4 and the
//! digit 0, ±1 or ±2. Only a 2 has a choice, +2 or -2 and a carry. It takes the sign under which the planes above have fewer
//! non-zero digits, which their majority tells: of the two bits of each pair and of the same from the pair above, the sign on top.
//! That is a representation with the fewest non-zero digits. A digit ±1 above a plane that holds none then moves down as ±4, which
//! frees its own plane for the next: so they lie in the lowest planes. `bitmosaic_numerics::DigitSet::canonical_digits` finds
//! the same by search.

use crate::hardware::index_bits;
use crate::netlist::{ModuleBuilder, Net};

/// Digits of several codes in one plane, bit by bit: a net holds one bit of every code, the lowest bit of the codes first. An even
/// number of bits. Gives the digits' bits, the lowest first, as `DigitSet::encode` has them.
pub(super) fn recode(m: &mut ModuleBuilder, code: &[Net], plane: Net) -> [Net; 3] {
    let pairs = code.len() / 2;
    let low = |k: usize| code[2 * k];
    let high = |k: usize| code[2 * k + 1];
    let lanes = code[0].width;
    let none = m.constant(0, lanes);
    // A 2, where the digit is even; nothing comes from below plane 0.
    let two: Vec<Net> = (0..pairs).map(|k| if k == 0 { high(0) } else { m.xor(high(k), low(k)) }).collect();

    // Whether a 2 of plane k is negative.
    let mut negative = vec![high(pairs - 1); pairs];
    for k in (1..pairs - 1).rev() {
        let (both, any) = (m.and(high(k), low(k)), m.or(high(k), low(k)));
        let above = m.and(any, negative[k]);
        negative[k - 1] = m.or(both, above);
    }
    let mut odd = vec![low(0)];
    let mut carry = none;
    for (k, &negative) in negative.iter().enumerate().take(pairs - 1) {
        let (any, both) = (m.or(low(k), negative), m.and(low(k), negative));
        let (always, with_carry) = (m.and(high(k), any), m.or(high(k), both));
        let carried = m.and(with_carry, carry);
        carry = if k == 0 { always } else { m.or(always, carried) };
        carry = m.name(carry, &format!("carry_{}", k + 1), "what the planes below leave to this one, by lane");
        let is_odd = m.xor(low(k + 1), carry);
        odd.push(m.name(is_odd, &format!("odd_{}", k + 1), "the digit is 1 or -1, by lane"));
    }
    // Whether plane k takes the digit ±1 of the plane above: it has none of its own, or has given it down.
    let mut takes: Vec<Net> = Vec::new();
    for k in 0..pairs - 1 {
        let some = m.or(odd[k], two[k]);
        let zero = m.not(some);
        let free = takes.last().map_or(zero, |moved| m.or(zero, *moved));
        takes.push(m.and(free, odd[k + 1]));
    }

    let plane = m.slice(plane, 0, index_bits(pairs as u32));
    let mut here = |of: &dyn Fn(usize) -> Net| {
        let planes: Vec<Net> = (0..pairs).map(of).collect();
        m.select(plane, &planes)
    };
    let one = here(&|k| odd[k]);
    let two = here(&|k| two[k]);
    let sign = here(&high);
    let negative = here(&|k| negative[k]);
    let moved = here(&|k| if k == 0 { none } else { takes[k - 1] });
    let takes = here(&|k| *takes.get(k).unwrap_or(&none));
    let sign_above = here(&|k| high((k + 1).min(pairs - 1)));
    let takes = m.name(takes, "takes", "the digit is that of the plane above, four times, by lane");
    let (kept, even) = (m.not(moved), m.not(one));
    let one = m.and(one, kept);
    let two = m.and(even, two);
    let (of_one, of_two, of_above) = (m.and(one, sign), m.and(two, negative), m.and(takes, sign_above));
    let sign = m.or(of_one, of_two);
    [m.or(one, takes), m.or(two, takes), m.or(sign, of_above)]
}
