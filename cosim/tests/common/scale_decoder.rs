//! Scale decoder against `ScaleKind::decode` and plain arithmetic: every kind the machine has, every code, sums and zero points
//! at random and at their ends, stops at random.

use bitmosaic_arch::Machine;
use bitmosaic_cosim::random::Random;
use bitmosaic_numerics::{SMALLEST_SCALE_EXPONENT, ScaleKind};
use bitmosaic_rtl::netlist::{Module, low_mask};

use super::bench;

/// Three rounds of all codes, each held now and then.
pub fn check(machine: &Machine, module: &Module) -> Result<(), String> {
    let mut simulator = bench::simulator(module)?;
    let names = ["sum_i", "scale_i", "exponent_i", "channel_i", "non_finite_i", "advance_i"];
    let [sum, scale, exponent, channel, non_finite, advance] = bench::inputs(&simulator, names);
    let (zero, activations) = (simulator.input("zero_point_i"), simulator.input("activation_sum_i"));
    let kind_port = simulator.input("scale_kind_i");
    let names = ["sum_o", "significand_o", "exponent_o", "channel_o", "non_finite_o"];
    let outputs = bench::outputs(&simulator, names);
    let mut random = Random::new(3);
    let bits = machine.pe.accumulator_bits;
    let with_exponents = machine.scale_kinds != [ScaleKind::Int8];
    let mut held: Option<[u64; 5]> = None;
    for _ in 0..3 {
        for kind in machine.scale_kinds.clone() {
            for code in (0..=u16::MAX).filter(|code| kind.decode(*code).is_some()) {
                let decoded = kind.decode(code).unwrap();
                let z = signed(&mut random, machine.zero_point_bits);
                let a = signed(&mut random, machine.activation_sum_bits);
                // The PEs' sums are such that the difference fits.
                let difference = signed(&mut random, bits);
                let s = difference + z * a;
                let moves = random.below(8) > 0;
                let e = 1 + random.below(31) as u64;
                let (c, flag) = (u64::from(random.bits() & 0xFFFF), random.below(2) as u64);
                simulator.set(sum, s as u64 & low_mask(bits));
                // Bits above a narrow code are another kind's and mean nothing.
                let above = machine.scale_code_bits - kind.code_bits();
                let garbage = u64::from(random.bits()) & low_mask(above);
                simulator.set(scale, u64::from(code) | garbage << kind.code_bits());
                simulator.set(exponent, e);
                simulator.set(channel, c);
                simulator.set(non_finite, flag);
                simulator.set(advance, u64::from(moves));
                if let (Some(zero), Some(activations)) = (zero, activations) {
                    simulator.set(zero, z as u64 & low_mask(machine.zero_point_bits));
                    simulator.set(activations, a as u64 & low_mask(machine.activation_sum_bits));
                }
                if let Some(port) = kind_port {
                    simulator.set(port, kind.index() as u64);
                }
                simulator.settle();
                simulator.edge();
                simulator.settle();
                if moves {
                    let own = if with_exponents { (decoded.exponent - SMALLEST_SCALE_EXPONENT) as u64 } else { 0 };
                    held = Some([difference as u64 & low_mask(bits), decoded.significand.into(), e + own, c, flag]);
                }
                let Some(expected) = held else { continue };
                for ((name, port), expected) in names.iter().zip(&outputs).zip(expected) {
                    let found = simulator.get(port) & u64::MAX;
                    if found != expected {
                        return Err(format!(
                            "{} code {code:#x}, zero point {z}, activations {a}: {name} {found:#x}, should be {expected:#x}",
                            kind.name()
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Any number of this many bits, often at the ends; 0 of none.
fn signed(random: &mut Random, bits: u32) -> i64 {
    if bits == 0 {
        return 0;
    }
    let half = 1i64 << (bits - 1);
    match random.below(8) {
        0 => -half,
        1 => half - 1,
        2 => 0,
        _ => {
            let wide = u64::from(random.bits()) << 32 | u64::from(random.bits());
            ((wide & low_mask(bits)) as i64 - half) >> random.below(bits as usize)
        }
    }
}
