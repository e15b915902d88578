use bitmosaic_arch::Machine;
use bitmosaic_mappings::{Matmul, TileWalk, UnitStimulus, read_bits, sign_extend};
use bitmosaic_numerics::term::Digits;

use crate::step::scale_unit::{output, scaled_sum};

/// Data of every output beat of the products `commands`, in order, from the operand beats of `stimulus`.
pub fn tile_values(machine: &Machine, commands: &[Matmul], stimulus: &UnitStimulus) -> Vec<Vec<u64>> {
    let mut values = Vec::new();
    let mut next = Cursor::default();
    for command in commands {
        let walk = TileWalk::new(machine, command);
        for _ in 0..walk.pass_count() {
            let outputs = pass(machine, command, walk, stimulus, &mut next);
            push_beats(machine, &outputs, &mut values);
        }
    }
    values
}

/// Next beat of each stream.
#[derive(Default)]
struct Cursor {
    chunk: usize,
    group: usize,
    pass: usize,
}

/// FP16 outputs of a pass, `[column][row]`.
fn pass(machine: &Machine, command: &Matmul, walk: TileWalk, stimulus: &UnitStimulus, next: &mut Cursor) -> Vec<u16> {
    let (rows, columns, lanes) = (machine.tile.rows, machine.tile.columns, machine.pe.lanes);
    let (bits, w) = (machine.code_bits, machine.pe.significand_bits);
    let [weights, activations, scales, exponents, channels] = [1, 2, 3, 4, 5].map(|port| &stimulus.inputs[port].1);
    let table = CodeValues::new(machine, command);
    let pes = (rows * columns) as usize;
    let mut accumulators = vec![0f32; pes];
    let mut non_finite = vec![false; rows as usize];
    let mut chunk_weights = vec![0i64; (columns * lanes) as usize];
    let mut chunk_activations = vec![0i64; (rows * lanes) as usize];
    for chunks in walk.group_chunks() {
        let mut sums = vec![0i64; pes];
        for _ in 0..chunks {
            let (weight_beat, activation_beat) = (weights.beat(next.chunk), activations.beat(next.chunk));
            next.chunk += 1;
            for column in 0..columns {
                let base = column * (lanes * bits + 2);
                let selector = read_bits(weight_beat, base + lanes * bits, 2) as usize;
                for lane in 0..lanes {
                    let code = read_bits(weight_beat, base + lane * bits, bits) as usize;
                    chunk_weights[(column * lanes + lane) as usize] = table.value(selector, code);
                }
            }
            for (i, value) in (0..).zip(&mut chunk_activations) {
                *value = sign_extend(read_bits(activation_beat, i * w, w), w);
            }
            let row_chunks = chunk_activations.chunks(lanes as usize);
            for (column, weights) in chunk_weights.chunks(lanes as usize).enumerate() {
                for (row, activations) in row_chunks.clone().enumerate() {
                    let dot: i64 = weights.iter().zip(activations).map(|(w, a)| w * a).sum();
                    sums[column * rows as usize + row] += dot;
                }
            }
        }
        let (scale_beat, exponent_beat) = (scales.beat(next.group), exponents.beat(next.group));
        next.group += 1;
        for (row, flag) in (0..).zip(&mut non_finite) {
            *flag |= read_bits(exponent_beat, row * 6 + 5, 1) == 1;
        }
        for (i, (sum, accumulator)) in (0u32..).zip(sums.iter().zip(&mut accumulators)) {
            let scale = read_bits(scale_beat, i / rows * 8, 8) as i64;
            let exponent = read_bits(exponent_beat, i % rows * 6, 5) as i32;
            *accumulator += scaled_sum(sum * scale, exponent + machine.scale_unit.activation_exponent_offset);
        }
    }
    let channel_beat = channels.beat(next.pass);
    next.pass += 1;
    let finish = |(i, accumulator): (u32, &f32)| {
        let channel = read_bits(channel_beat, i / rows * 16, 16) as u16;
        output(*accumulator, channel, non_finite[(i % rows) as usize], u32::from(command.fraction_bits))
    };
    (0u32..).zip(&accumulators).map(finish).collect()
}

/// Output beats of a pass: a slot a beat, a unit a field.
fn push_beats(machine: &Machine, outputs: &[u16], values: &mut Vec<Vec<u64>>) {
    let (pes, units) = (machine.scale_unit.pes as usize, machine.scale_unit.units as usize);
    for slot in 0..pes {
        let of_units = (0..units).map(|unit| outputs[unit * pes + slot]).collect::<Vec<_>>();
        let words = of_units.chunks(4).map(|c| c.iter().rev().fold(0, |word, v| word << 16 | u64::from(*v)));
        values.push(words.collect());
    }
}

/// Value of every code under every selector, from the digits that the hardware sums up.
struct CodeValues(Vec<Vec<i64>>);

impl CodeValues {
    fn new(machine: &Machine, command: &Matmul) -> CodeValues {
        let table = &machine.types[usize::from(command.weight_type) % machine.types.len()].table;
        let sum = |digits: &Digits| {
            let terms = digits.iter().take(usize::from(command.terms)).enumerate();
            terms.map(|(plane, digit)| i64::from(digit.value()) << (2 * plane)).sum()
        };
        let codes = 1usize << machine.code_bits;
        let of_code =
            |code: usize, special: &Digits| sum(table.digits.get(code).copied().flatten().as_ref().unwrap_or(special));
        CodeValues(command.special_digits.iter().map(|s| (0..codes).map(|code| of_code(code, s)).collect()).collect())
    }

    fn value(&self, selector: usize, code: usize) -> i64 {
        self.0[selector][code]
    }
}
