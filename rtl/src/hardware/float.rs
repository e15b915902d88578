//! Binary32 building blocks: normalize, round to nearest even, align. No subnormals, infinities or NaN occur (the ranges
//! are derived in `sim/src/step/scale_unit.rs`), so none are handled; zero is all bits zero.

use crate::netlist::{ModuleBuilder, Net};

/// Fraction bits of binary32.
pub(super) const FRACTION: u32 = 23;

/// Whether the floating-point steps of a module have registers within.
#[derive(Clone, Copy)]
pub(super) struct Step {
    enable: Option<Net>,
}

impl Step {
    /// Each step is one cycle.
    pub(super) const NONE: Step = Step { enable: None };

    /// Registers with this enable.
    pub(super) fn enabled(enable: Net) -> Step {
        Step { enable: Some(enable) }
    }

    /// With these `step_registers` of the machine.
    pub(super) fn new(registers: u32, enable: Net) -> Step {
        if registers > 0 { Step::enabled(enable) } else { Step::NONE }
    }

    /// Whether there are.
    pub(super) fn is_cut(self) -> bool {
        self.enable.is_some()
    }

    /// The register that a net goes through, or the net itself.
    pub(super) fn cut(self, m: &mut ModuleBuilder, name: &str, net: Net, doc: &str) -> Net {
        self.enable.map_or(net, |enable| m.reg(name, net, Some(enable), None, doc))
    }
}

/// `x` shifted left until its highest bit is set, and by how much. Zero stays zero with an unspecified amount. Levels are
/// named after `name`.
pub(super) fn normalize(m: &mut ModuleBuilder, x: Net, name: &str) -> (Net, Net) {
    let mut value = x;
    let mut amount = Vec::new();
    let levels = u32::BITS - (x.width - 1).leading_zeros();
    for level in (0..levels).rev() {
        let distance = 1 << level;
        if distance >= x.width {
            amount.push(m.constant(0, 1));
            continue;
        }
        let top = m.slice(value, x.width - distance, distance);
        let any = m.reduce_or(top);
        let empty = m.not(any);
        let empty = m.name(empty, &format!("{name}_high_{distance}_empty"), "no bit is set up there");
        let rest = m.slice(value, 0, x.width - distance);
        let zeros = m.constant(0, distance);
        let shifted = m.concat(&[zeros, rest]);
        value = m.mux(empty, shifted, value);
        value = m.name(value, &format!("{name}_up_{distance}"), "moved up if they are");
        amount.push(empty);
    }
    amount.reverse();
    let amount = m.concat(&amount);
    (value, amount)
}

/// `x >> amount`, with a bit below that tells whether a one was shifted out: `{x >> amount, sticky}`.
/// Amounts of the width and more leave only the sticky bit. Levels are named after `name`.
pub(super) fn shift_right_sticky(m: &mut ModuleBuilder, x: Net, amount: Net, name: &str) -> Net {
    let zero = m.constant(0, 1);
    let mut value = m.concat(&[zero, x]);
    let width = value.width;
    for level in 0..amount.width {
        let distance = (1u32 << level).min(width - 1);
        let lost = m.slice(value, 0, distance + 1);
        let sticky = m.reduce_or(lost);
        let shifted = if distance + 1 < width {
            let kept = m.slice(value, distance + 1, width - distance - 1);
            let joined = m.concat(&[sticky, kept]);
            m.extend(joined, width)
        } else {
            m.extend(sticky, width)
        };
        let chosen = m.bit(amount, level);
        value = m.mux(chosen, shifted, value);
        value = m.name(value, &format!("{name}_down_{}", 1u32 << level), "moved down; the lowest bit is sticky");
    }
    value
}

/// Rounds to nearest even and packs: `{exponent, fraction}` plus one unit where the bits below the kept ones round up.
/// `significand` has its highest bit set (the hidden one, dropped); `keep` fraction bits stay. A carry out of the fraction
/// raises the exponent, which is what rounding means.
pub(super) fn round_and_pack(m: &mut ModuleBuilder, exponent: Net, significand: Net, keep: u32, name: &str) -> Net {
    let below = significand.width - 1 - keep;
    let fraction = m.slice(significand, below, keep);
    let packed = m.concat(&[fraction, exponent]);
    if below == 0 {
        return packed;
    }
    let guard = m.bit(significand, below - 1);
    let odd = m.bit(significand, below);
    let up = if below > 1 {
        let rest = m.slice(significand, 0, below - 1);
        let sticky = m.reduce_or(rest);
        let tail = m.or(sticky, odd);
        m.and(guard, tail)
    } else {
        m.and(guard, odd)
    };
    let up = m.name(up, &format!("{name}_rounds_up"), "to nearest even");
    let up = m.extend(up, packed.width);
    let sum = m.add(packed, up);
    m.truncate(sum, packed.width)
}

/// `x` where `keep`, else zero.
pub(super) fn gate(m: &mut ModuleBuilder, keep: Net, x: Net) -> Net {
    let zero = m.constant(0, x.width);
    m.mux(keep, x, zero)
}
