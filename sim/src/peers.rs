//! Bit-serial machines of the literature whose steps depend on the weights: how long an array of a design's shape computes if its
//! PEs skipped what these skip. Steps of the array alone: no memory, fill or drain, and none of the published areas.

use std::ops::Range;

use bitmosaic_arch::Machine;
use bitmosaic_numerics::QuantizedMatrix;
use rayon::prelude::*;

/// What a PE skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Nothing: a step a bit of the type's two's complement (Stripes, MICRO 2016).
    Stripes,
    /// Zero bits of each weight's magnitude: a lane takes a step for each one; the lanes of a PE wait for the slowest
    /// (Pragmatic, MICRO 2017, there on activations).
    Pragmatic,
    /// Of the lanes' weights together, bits above the widest of them and bits that are zero in all: a step a bit column that
    /// is left. In a column at most half of the lanes count, either its ones or, subtracted from all, its zeros, so that a PE needs
    /// half of the adders (BBS / BitVert, MICRO 2024; without its pruning, which changes weights).
    BitVert,
}

impl Peer {
    /// All of them.
    pub const ALL: [Peer; 3] = [Peer::Stripes, Peer::Pragmatic, Peer::BitVert];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Stripes => "stripes",
            Peer::Pragmatic => "pragmatic",
            Peer::BitVert => "bitvert",
        }
    }

    /// Steps of a PE for the weights of its lanes, in a type of `bits` of two's complement.
    pub fn steps(self, lanes: &[i64], bits: u32) -> u32 {
        let steps = match self {
            Peer::Stripes => bits,
            Peer::Pragmatic => lanes.iter().map(|value| value.unsigned_abs().count_ones()).max().unwrap_or(0),
            Peer::BitVert => {
                let width = lanes.iter().map(|value| signed_bits(*value)).max().unwrap_or(1);
                let any = lanes.iter().fold(0, |any, value| any | value);
                (any & ((1 << width) - 1)).count_ones()
            }
        };
        steps.max(1)
    }
}

/// Bits of two's complement that hold `value`.
fn signed_bits(value: i64) -> u32 {
    65 - if value < 0 { !value } else { value }.leading_zeros()
}

/// Steps of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerSteps {
    /// All columns of the array wait for the slowest with each chunk: activations are sent to all at once.
    pub in_step: u64,
    /// Columns wait for each other at the end of each group only, as if each could hold a group's activations.
    pub run_ahead: u64,
}

/// Steps that the peers' PEs take for a product of these weights and `tokens`, in the order of [`Peer::ALL`], in an array of the
/// design's rows, columns and lanes.
pub fn peer_steps(machine: &Machine, weights: &QuantizedMatrix, tokens: usize) -> [PeerSteps; Peer::ALL.len()] {
    let (rows, columns) = match &machine.array {
        Some(array) => (array.rows as usize, array.columns as usize),
        None => (machine.tile.rows as usize, machine.tile.columns as usize),
    };
    let lanes = machine.pe.lanes as usize;
    let widths = weights.weight_type.all_values().into_iter().map(signed_bits);
    let bits = widths.max().unwrap_or(1) + u32::from(weights.weight_type.has_zero_point());
    let row_blocks = tokens.div_ceil(rows) as u64;
    let firsts: Vec<usize> = (0..weights.output_channels).step_by(columns).collect();
    let blocks: Vec<_> = firsts
        .into_par_iter()
        .map(|first| block_steps(weights, first..weights.output_channels.min(first + columns), lanes, bits))
        .collect();
    let mut sums = [PeerSteps::default(); Peer::ALL.len()];
    for block in blocks {
        for (sum, own) in sums.iter_mut().zip(block) {
            sum.in_step += row_blocks * own.in_step;
            sum.run_ahead += row_blocks * own.run_ahead;
        }
    }
    sums
}

/// Steps of one pass over the weights of a column block.
fn block_steps(
    weights: &QuantizedMatrix,
    channels: Range<usize>,
    lanes: usize,
    bits: u32,
) -> [PeerSteps; Peer::ALL.len()] {
    let k = weights.input_channels;
    let mut sums = [PeerSteps::default(); Peer::ALL.len()];
    for group in 0..weights.groups() {
        let inputs = group * weights.group..k.min((group + 1) * weights.group);
        // By peer: the slowest column of each chunk; the steps of the slowest column.
        let mut slowest = vec![[0; Peer::ALL.len()]; inputs.len().div_ceil(lanes)];
        let mut longest = [0; Peer::ALL.len()];
        for channel in channels.clone() {
            let mut own = [0; Peer::ALL.len()];
            for (chunk, slowest) in slowest.iter_mut().enumerate() {
                let start = inputs.start + chunk * lanes;
                let inputs = start..inputs.end.min(start + lanes);
                let values: Vec<i64> = inputs.map(|input| weights.value(channel, input)).collect();
                for (i, peer) in Peer::ALL.into_iter().enumerate() {
                    let steps = peer.steps(&values, bits);
                    slowest[i] = slowest[i].max(steps);
                    own[i] += u64::from(steps);
                }
            }
            longest.iter_mut().zip(own).for_each(|(longest, own)| *longest = own.max(*longest));
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            sum.in_step += slowest.iter().map(|chunk| u64::from(chunk[i])).sum::<u64>();
            sum.run_ahead += longest[i];
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use bitmosaic_arch::load;
    use bitmosaic_numerics::{f16, quantize_matrix::quantize_matrix, weight_type};

    use super::*;

    #[test]
    fn a_pe_takes_what_its_lanes_need() {
        let of = |lanes: &[i64]| Peer::ALL.map(|peer| peer.steps(lanes, 8));
        assert_eq!(of(&[0, 0, 0, 0]), [8, 1, 1]);
        assert_eq!(of(&[1, 0, 2, 0]), [8, 1, 2]);
        assert_eq!(of(&[127, 0]), [8, 7, 7]);
        // -1 is ones all over, of which one bit column tells the sign.
        assert_eq!(of(&[-1, 0]), [8, 1, 1]);
        assert_eq!(of(&[-128, 64]), [8, 1, 2]);
        // 3 takes three bits of two's complement, of which the highest is zero in all.
        assert_eq!(of(&[3, 3]), [8, 2, 2]);
        assert_eq!(of(&[-3, 2]), [8, 2, 3]);
    }

    /// Every bit column of every chunk, looked at one by one.
    #[test]
    fn bit_columns_of_any_lanes_are_those_that_a_walk_finds() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 33
        };
        for _ in 0..2000 {
            let shift = next() % 8;
            let lanes: Vec<i64> = (0..1 + next() % 16).map(|_| ((next() % 256) as i64 - 128) >> shift).collect();
            let bit = |value: i64, place: u32| value >> place & 1;
            // The sign's column and those above it are alike: the lowest of them stays.
            let same = |place: u32| lanes.iter().all(|v| bit(*v, place) == bit(*v, place + 1));
            let mut width = 8;
            while width > 1 && same(width - 2) {
                width -= 1;
            }
            let columns = (0..width).filter(|place| lanes.iter().any(|v| bit(*v, *place) == 1)).count() as u32;
            assert_eq!(Peer::BitVert.steps(&lanes, 8), columns.max(1), "{lanes:?}");
            let ones = lanes.iter().map(|v| (0..8).filter(|p| v.abs() >> p & 1 == 1).count() as u32).max().unwrap();
            assert_eq!(Peer::Pragmatic.steps(&lanes, 8), ones.max(1), "{lanes:?}");
        }
    }

    #[test]
    fn weights_change_the_time_of_all_but_stripes() {
        let machine = load("mosaic-small").unwrap();
        let (n, k, tokens) = (20, 200, 9);
        let matrix = |scale: fn(usize) -> f32| {
            let values: Vec<f16> = (0..n * k).map(|i| f16::from_f32(scale(i))).collect();
            quantize_matrix(&values, [n, k], 64, &weight_type("int8").unwrap()).unwrap()
        };
        // Spread evenly over all codes; one large weight a group and small ones.
        let dense = peer_steps(&machine, &matrix(|i| (i * 37 % 255) as f32 - 127.0), tokens);
        let peaked = peer_steps(&machine, &matrix(|i| if i % 64 == 5 { 127.0 } else { (i % 3) as f32 }), tokens);
        let chunks = (3 * 64 / 4 + 2) as u64;
        let blocks = (tokens.div_ceil(8) * n.div_ceil(8)) as u64;
        for (steps, case) in [(dense, "dense"), (peaked, "peaked")] {
            assert_eq!(steps[0], PeerSteps { in_step: 8 * chunks * blocks, run_ahead: 8 * chunks * blocks }, "{case}");
            for peer in &steps[1..] {
                assert!(peer.run_ahead <= peer.in_step && peer.in_step <= steps[0].in_step, "{case}: {steps:?}");
            }
        }
        let less = |i: usize| peaked[i].in_step < dense[i].in_step && 2 * peaked[i].run_ahead < dense[i].run_ahead;
        assert!(less(1) && less(2), "{dense:?} {peaked:?}");
    }
}
