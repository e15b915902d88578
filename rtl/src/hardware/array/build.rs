//! Idioms of the modules around the tile.

use crate::netlist::{ModuleBuilder, Net};

/// Widest net of one operation.
const SPAN: u32 = 64;

/// One of two nets of equal width by a 1-bit `select`, of any width.
pub(super) fn mux_wide(m: &mut ModuleBuilder, select: Net, when_true: Net, when_false: Net) -> Net {
    if when_true.width <= SPAN {
        return m.mux(select, when_true, when_false);
    }
    let parts: Vec<Net> = (0..when_true.width)
        .step_by(SPAN as usize)
        .map(|low| {
            let bits = SPAN.min(when_true.width - low);
            let (a, b) = (m.slice(when_true, low, bits), m.slice(when_false, low, bits));
            m.mux(select, a, b)
        })
        .collect();
    m.concat(&parts)
}

/// The choice with number `index`, of any width.
pub(super) fn select_wide(m: &mut ModuleBuilder, index: Net, choices: &[Net]) -> Net {
    let width = choices.first().map_or(1, |c| c.width);
    if choices.len() == 1 {
        return choices[0];
    }
    let parts: Vec<Net> = (0..width)
        .step_by(SPAN as usize)
        .map(|low| {
            let bits = SPAN.min(width - low);
            let own: Vec<Net> = choices.iter().map(|choice| m.slice(*choice, low, bits)).collect();
            m.select(index, &own)
        })
        .collect();
    m.concat(&parts)
}

/// `a + step` in the width of `a`.
pub(super) fn add_const(m: &mut ModuleBuilder, a: Net, step: u64) -> Net {
    let step = m.constant(step, a.width);
    let sum = m.add(a, step);
    m.truncate(sum, a.width)
}

/// `a + b` of equal width, in that width.
pub(super) fn add_within(m: &mut ModuleBuilder, a: Net, b: Net) -> Net {
    let sum = m.add(a, b);
    m.truncate(sum, a.width)
}

/// `a - b` of equal width, in that width, unsigned.
pub(super) fn sub_within(m: &mut ModuleBuilder, a: Net, b: Net) -> Net {
    let difference = m.sub(a, b);
    let difference = m.truncate(difference, a.width);
    m.as_unsigned(difference)
}

/// 1 bit: `a` is `value`.
pub(super) fn is(m: &mut ModuleBuilder, a: Net, value: u64) -> Net {
    let value = m.constant(value, a.width);
    m.eq(a, value)
}

/// `a + step` and whether it reaches `limit`; all of one width, the sum is not cut.
pub(super) fn count_to(m: &mut ModuleBuilder, a: Net, step: Net, limit: Net) -> (Net, Net) {
    let next = m.add(a, step);
    let wide = m.extend(limit, next.width);
    let below = m.lt(next, wide);
    let reached = m.not(below);
    (m.truncate(next, a.width), reached)
}

/// 1 bit: `a` and not `b`.
pub(super) fn and_not(m: &mut ModuleBuilder, a: Net, b: Net) -> Net {
    let not = m.not(b);
    m.and(a, not)
}

/// A field of a command.
pub(super) fn field(m: &mut ModuleBuilder, command: Net, (low, _): (u32, u32), width: u32) -> Net {
    m.slice(command, low, width)
}

/// A counter of things on their way or of tokens: one more at `up`, one less at `down`, 0 after reset.
pub(super) fn up_down(m: &mut ModuleBuilder, name: &str, width: u32, up: Net, down: Net, doc: &str) -> Net {
    let count = m.register(name, width, false, doc);
    let more = add_const(m, count, 1);
    let one = m.constant(1, width);
    let less = sub_within(m, count, one);
    let next = m.mux(up, more, less);
    let changes = m.xor(up, down);
    m.drive(count, next, Some(changes), Some(0));
    count
}
