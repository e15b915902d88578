//! Output stage against `kernels::datapath::output`.

use bitmosaic_arch::Machine;
use bitmosaic_cosim::random::Random;
use bitmosaic_kernels::datapath;
use bitmosaic_numerics::exact::round_to_fp16;
use bitmosaic_numerics::f16;
use bitmosaic_numerics::fp16::{CANONICAL_NAN, decode};
use bitmosaic_rtl::netlist::Module;

use super::bench;

/// Values per f.
const VECTORS: usize = 16_000;
/// Largest f that is driven.
pub const FRACTION_BITS: u32 = 8;
/// Inputs of one slot.
#[derive(Debug, Clone, Copy)]
pub struct Vector {
    /// Finished accumulator.
    pub accumulator: f32,
    /// Channel scale.
    pub channel: f16,
    /// The row's non-finite flag.
    pub non_finite: bool,
}

impl Vector {
    /// What the contract says.
    pub fn expected(&self, fraction_bits: u32) -> u16 {
        match self.non_finite {
            true => CANONICAL_NAN,
            false => datapath::output(self.accumulator, self.channel, fraction_bits).to_bits(),
        }
    }

    /// What one rounding instead of two would give.
    pub fn rounded_once(&self, fraction_bits: u32) -> u16 {
        // Both significands in units of their last place: exact.
        let accumulator = self.accumulator.to_bits();
        let significand = i128::from(accumulator & 0x7F_FFFF | 1 << 23);
        let channel = decode(self.channel);
        let exponent = (accumulator >> 23 & 0xFF) as i32 - 150 + channel.exponent as i32 - 25 - fraction_bits as i32;
        let sign = if self.accumulator < 0.0 { -1 } else { 1 };
        match self.accumulator == 0.0 {
            true => 0,
            false => round_to_fp16(sign * significand * i128::from(channel.significand), exponent).to_bits(),
        }
    }
}

/// Every f with random and crafted values, the pipeline stopped at random.
pub fn check(machine: &Machine, module: &Module) -> Result<(), String> {
    let mut random = Random::new(1);
    let stages = 1 + machine.scale_unit.output_cycles as usize;
    // The order mixes f so that a fault shows early.
    for fraction_bits in [1, 0, 4, 8, 2, 3, 5, 6, 7] {
        run(module, stages, fraction_bits, &vectors(&mut random, fraction_bits), &mut random)?;
    }
    Ok(())
}

/// Drives a module of `stages` registers from its inputs to its output.
fn run(
    module: &Module,
    stages: usize,
    fraction_bits: u32,
    vectors: &[Vector],
    random: &mut Random,
) -> Result<(), String> {
    let mut simulator = bench::simulator(module)?;
    let names = ["accumulator_i", "channel_i", "non_finite_i", "fraction_bits_i", "advance_i"];
    let [accumulator, channel, non_finite, f, advance] = bench::inputs(&simulator, names);
    let [output] = bench::outputs(&simulator, ["output_o"]);
    simulator.set(f, u64::from(fraction_bits));
    let mut pipeline: Vec<Option<&Vector>> = vec![None; stages];
    let mut next = 0;
    while next < vectors.len() + stages {
        let moves = random.below(8) > 0;
        // Inputs of a stopped pipeline must not matter.
        let (bits, scale, flag) = match vectors.get(next) {
            Some(v) if moves => (v.accumulator.to_bits(), v.channel.to_bits(), v.non_finite),
            _ => (random.bits(), random.bits() as u16, random.below(2) == 0),
        };
        simulator.set(accumulator, u64::from(bits));
        simulator.set(channel, u64::from(scale));
        simulator.set(non_finite, u64::from(flag));
        simulator.set(advance, u64::from(moves));
        simulator.settle();
        if let Some(vector) = pipeline[stages - 1] {
            let (found, expected) = (simulator.get(&output) as u16, vector.expected(fraction_bits));
            if found != expected {
                return Err(format!("f {fraction_bits}, {vector:?}: {found:#06x}, should be {expected:#06x}"));
            }
        }
        simulator.edge();
        if moves {
            pipeline.rotate_right(1);
            pipeline[0] = vectors.get(next);
            next += 1;
        }
    }
    Ok(())
}

/// Random and crafted values in mixed order.
pub fn vectors(random: &mut Random, fraction_bits: u32) -> Vec<Vector> {
    let mut vectors = Vec::with_capacity(VECTORS + 8);
    while vectors.len() < VECTORS {
        let channel = channel(random);
        if random.below(4) == 0 || channel.to_f32() == 0.0 {
            vectors.push(Vector { accumulator: accumulator(random), channel, non_finite: random.below(16) == 0 });
            continue;
        }
        // Around an FP16 number or the middle of two: ties, the product's rounding deciding the output's, subnormal
        // outputs, 65504 and 65520, carries through the whole fraction.
        let target = target(random) * f64::from(1u32 << fraction_bits);
        let near = (target / channel.to_f64()) as f32;
        for ulps in [0, 1, -1, 2, -2, 3, -3, 4, -4] {
            let accumulator = f32::from_bits(near.to_bits().wrapping_add_signed(ulps));
            if is_reachable(accumulator) {
                vectors.push(Vector { accumulator, channel, non_finite: false });
            }
        }
    }
    vectors
}

/// Exponents of accumulators: multiples of 2^-38, below 2^64.
fn is_reachable(accumulator: f32) -> bool {
    accumulator == 0.0 || (-38..64).contains(&(((accumulator.to_bits() >> 23) & 0xFF) as i32 - 127))
}

fn accumulator(random: &mut Random) -> f32 {
    let fraction = match random.below(6) {
        0 => 0,
        1 => 0x7F_FFFF,
        2 => 0x7F_FFFF << random.below(24),
        3 => (1 << random.below(23)) | (1 << random.below(23)),
        _ => random.bits(),
    };
    let exponent = 127 - 38 + random.below(38 + 64) as u32;
    match random.below(16) {
        0 => 0.0,
        _ => f32::from_bits(random.bits() & 1 << 31 | exponent << 23 | fraction & 0x7F_FFFF),
    }
}

/// Every kind of channel scale, both signs.
fn channel(random: &mut Random) -> f16 {
    let bits = random.bits() as u16;
    let magnitude = match random.below(9) {
        0 => 0,
        1 => bits & 0x03FF, // subnormal
        8 => bits & 0x0F,
        2 => [1, 0x03FF, 0x0400, 0x7BFF][random.below(4)],
        3 => (random.below(30) as u16 + 1) << 10, // powers of two
        4 => ((random.below(30) as u16 + 1) << 10) | 0x3FF,
        _ => (random.below(30) as u16 + 1) << 10 | bits & 0x3FF,
    };
    f16::from_bits(magnitude | bits & 0x8000)
}

/// A magnitude that FP16 has, or the middle between it and the next.
fn target(random: &mut Random) -> f64 {
    let bits = random.bits() as u16;
    let low = match random.below(6) {
        0 => bits & 7,                                  // the smallest subnormals
        1 => bits & 0x3FF,                              // subnormals
        2 => 0x3FC + (bits & 7),                        // subnormal to normal
        3 => 0x7BFF - (bits & 3),                       // the largest
        4 => ((random.below(30) as u16) << 10) | 0x3FF, // a carry into the exponent
        _ => (random.below(30) as u16 + 1) << 10 | bits & 0x3FF,
    };
    let value = |bits: u16| if bits == 0x7C00 { 65536.0 } else { f16::from_bits(bits).to_f64() };
    if random.below(4) == 0 { value(low) } else { (value(low) + value(low + 1)) / 2.0 }
}
