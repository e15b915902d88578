//! Processing elements, one file a kind.

pub mod bit_serial_block;
pub mod bit_serial_float;
mod fp16_int;
pub mod fp16_mac;

use bitmosaic_arch::{Machine, PeWidths};

use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// The PE module of a machine.
pub(crate) fn processing_element(machine: &Machine) -> Result<Module, NetlistError> {
    match &machine.pe.kind {
        PeWidths::Block(block) => bit_serial_block::block_pe(machine, block),
        PeWidths::Float(float) => bit_serial_float::float_pe(machine, float),
        PeWidths::Int(int) => fp16_int::int_pe(machine, int),
        PeWidths::Mac(widths) => fp16_mac::mac_pe(machine, widths),
    }
}

/// Balanced tree of a binary operation.
fn tree(m: &mut ModuleBuilder, mut level: Vec<Net>, mut join: impl FnMut(&mut ModuleBuilder, Net, Net) -> Net) -> Net {
    while level.len() > 1 {
        let mut next = |pair: &[Net]| if pair.len() == 2 { join(m, pair[0], pair[1]) } else { pair[0] };
        level = level.chunks(2).map(&mut next).collect();
    }
    level[0]
}

/// Sign-extended or cut.
fn fit(m: &mut ModuleBuilder, net: Net, width: u32) -> Net {
    if net.width > width { m.truncate(net, width) } else { m.extend(net, width) }
}

/// The end of a PE whose sums are integers: accumulator and hold register, a link of the chain. `total` is the group sum with
/// this term; `moves` say when the sum is captured and when the chain moves.
fn group_accumulator(
    m: &mut ModuleBuilder,
    accumulator: Net,
    total: Net,
    accumulate: Net,
    moves: [Net; 2],
    chain: Net,
) {
    let total = m.truncate(total, accumulator.width);
    let total = m.name(total, "accumulator_d", "group sum with this term; exact, it cannot overflow");
    m.drive(accumulator, total, Some(accumulate), None);
    let [capture, shift] = moves;
    let next = m.mux(capture, total, chain);
    let enable = m.or(capture, shift);
    let hold = m.reg("hold_q", next, Some(enable), None, "finished group sum on its way to the scale unit");
    m.output("chain_o", hold, "hold register");
}

/// `a + b + carry` of signed nets, one bit wider than the wider.
fn add_with_carry(m: &mut ModuleBuilder, a: Net, b: Net, carry: Net) -> Net {
    let sum = m.add(a, b);
    add_carry(m, sum, carry)
}

/// `sum + carry` in the bits of the signed sum.
fn add_carry(m: &mut ModuleBuilder, sum: Net, carry: Net) -> Net {
    let carry = m.extend(carry, 2);
    let carry = m.as_signed(carry);
    let total = m.add(sum, carry);
    m.truncate(total, sum.width)
}

/// Balanced tree of additions of signed nets, each of which takes a carry too, in order: all carries but the last.
fn tree_with_carries(m: &mut ModuleBuilder, values: Vec<Net>, carries: Vec<Net>) -> Net {
    let mut carries = carries.into_iter();
    tree(m, values, |m, a, b| match carries.next() {
        Some(carry) => add_with_carry(m, a, b, carry),
        None => m.add(a, b),
    })
}
