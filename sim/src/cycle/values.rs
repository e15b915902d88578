use bitmosaic_arch::Machine;
use bitmosaic_mappings::{Matmul, TileWalk, UnitStimulus, read_bits, sign_extend};
use bitmosaic_numerics::{DigitSet, TermTable, f16, term::Digits};

use crate::pe::{Arithmetic, Sum, Term};
use crate::step::fields::{exponent_field, scale_field};
use crate::step::scale_unit::{decode, output, scaled_sum};

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
    let (rows, columns) = (machine.tile.rows, machine.tile.columns);
    let [scales, channels] = [3, 4].map(|port| &stimulus.inputs[port].1);
    let exponents = machine.tile.exponent_beat_bits.map(|_| &stimulus.inputs[5].1);
    let table = CodeDigits::new(machine, command);
    let arithmetic = Arithmetic::new(machine);
    let mut accumulators = vec![0f32; (rows * columns) as usize];
    let mut non_finite = vec![false; rows as usize];
    let mut chunk = Chunk::new(machine);
    for reads in walk.group_reads() {
        let mut sums = vec![Sum::default(); accumulators.len()];
        for _ in 0..reads.chunks {
            chunk.load(machine, &table, stimulus, next.chunk);
            next.chunk += 1;
            if exponents.is_none() {
                chunk.mark_non_finite(machine, &mut non_finite);
            }
            chunk.accumulate(machine, &arithmetic, u32::from(command.terms), &mut sums);
        }
        // The reads of further planes have the same operands.
        next.chunk += reads.chunks * (reads.times - 1);
        let columns: Vec<_> = (0..columns).map(|c| scale_field(machine, scales.beat(next.group), c)).collect();
        let mut shared = vec![(0, 0); rows as usize];
        if let Some(exponents) = exponents {
            for (row, flag) in (0..).zip(&mut non_finite) {
                let field = exponent_field(machine, exponents.beat(next.group), row);
                shared[row as usize] = (field.exponent, field.sum);
                *flag |= field.non_finite;
            }
        }
        next.group += 1;
        for (i, (sum, accumulator)) in sums.iter().zip(&mut accumulators).enumerate() {
            let (column, row) = (i / rows as usize, i % rows as usize);
            // PEs with exponents of their own have no shared ones.
            let exponents = if exponents.is_some() { shared[row] } else { (0, 0) };
            let scaled = decode(machine, command.scale_kind, columns[column], exponents, *sum);
            let power = scaled.exponent as i32 + machine.scale_unit.exponent_offset;
            *accumulator += scaled_sum(scaled.product * i64::from(scaled.significand), power);
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

/// A chunk of lanes for every row and column.
struct Chunk {
    /// `[column][lane]`
    digits: Vec<Digits>,
    /// `[column][lane]`, the digits' sums.
    values: Vec<i64>,
    /// `[row][lane]`, aligned integers or FP16 patterns.
    activations: Vec<i32>,
    /// `[column][lane]`, FP16 weights as they are; none where there are digits.
    numbers: Vec<Term>,
    /// Digits of one column in one plane, and lane products.
    plane: Vec<Term>,
    lanes: Vec<Sum>,
}

impl Chunk {
    fn new(machine: &Machine) -> Chunk {
        let lanes = machine.pe.lanes as usize;
        let weights = machine.tile.columns as usize * lanes;
        Chunk {
            digits: vec![Digits::default(); weights],
            values: vec![0; weights],
            activations: vec![0; machine.tile.rows as usize * lanes],
            numbers: Vec::new(),
            plane: vec![Term::default(); lanes],
            lanes: Vec::with_capacity(lanes),
        }
    }

    fn load(&mut self, machine: &Machine, table: &CodeDigits<'_>, stimulus: &UnitStimulus, index: usize) {
        let (lanes, bits, w) = (machine.pe.lanes, machine.code_bits, machine.pe.activation_bits);
        let [weights, activations] = [1, 2].map(|port| stimulus.inputs[port].1.beat(index));
        self.numbers.clear();
        for column in 0..machine.tile.columns {
            let base = column * (lanes * bits + 2);
            let selector = read_bits(weights, base + lanes * bits, 2) as usize;
            let code = |lane: u32| read_bits(weights, base + lane * bits, bits) as u16;
            for lane in 0..lanes {
                let neighbour = table.table.victim.map(|_| code(lane ^ 1));
                let i = (column * lanes + lane) as usize;
                if machine.pe.digit_set == DigitSet::Fp16 {
                    self.numbers.push(Term::Number(f16::from_bits(code(lane))));
                    continue;
                }
                (self.digits[i], self.values[i]) = table.by_place[selector][table.table.place(code(lane), neighbour)];
            }
        }
        for (i, value) in (0..).zip(&mut self.activations) {
            *value = sign_extend(read_bits(activations, i * w, w), w) as i32;
        }
    }

    fn mark_non_finite(&self, machine: &Machine, rows: &mut [bool]) {
        for (flag, activations) in rows.iter_mut().zip(self.activations.chunks(machine.pe.lanes as usize)) {
            *flag |= activations.iter().any(|a| a & 0x7C00 == 0x7C00);
        }
    }

    /// Adds the chunk's products to the group sums, `[column][row]`.
    fn accumulate(&mut self, machine: &Machine, arithmetic: &Arithmetic, terms: u32, sums: &mut [Sum]) {
        let (rows, lanes) = (machine.tile.rows as usize, machine.pe.lanes as usize);
        for (i, sum) in sums.iter_mut().enumerate() {
            let (column, row) = (i / rows, i % rows);
            let activations = &self.activations[row * lanes..(row + 1) * lanes];
            if let Arithmetic::Block { .. } | Arithmetic::Int { .. } = arithmetic {
                // Integer sums do not depend on their order.
                let values = &self.values[column * lanes..(column + 1) * lanes];
                sum.significand += values.iter().zip(activations).map(|(v, a)| v * i64::from(*a)).sum::<i64>();
                continue;
            }
            if let Arithmetic::Mac(_) = arithmetic {
                let numbers = &self.numbers[column * lanes..(column + 1) * lanes];
                arithmetic.products(numbers, activations, &mut self.lanes);
                *sum = arithmetic.accumulate(*sum, false, arithmetic.sum(&self.lanes), 0);
                continue;
            }
            for plane in 0..terms {
                let digits = &self.digits[column * lanes..(column + 1) * lanes];
                self.plane.clear();
                self.plane.extend(digits.iter().map(|d| Term::Digit(d[plane as usize])));
                arithmetic.products(&self.plane, activations, &mut self.lanes);
                *sum = arithmetic.accumulate(*sum, false, arithmetic.sum(&self.lanes), plane);
            }
        }
    }
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

/// Digits of every code under every selector, and their sum; nothing of FP16 weights.
struct CodeDigits<'m> {
    table: &'m TermTable,
    /// `[selector][place in the table]`
    by_place: Vec<Vec<(Digits, i64)>>,
}

impl CodeDigits<'_> {
    fn new<'m>(machine: &'m Machine, command: &Matmul) -> CodeDigits<'m> {
        let table = &machine.types[usize::from(command.weight_type) % machine.types.len()].table;
        let (set, radix_bits) = (machine.pe.digit_set, machine.pe.digit_set.radix_bits());
        let sum = |digits: &Digits| -> i64 {
            let terms = digits.iter().take(usize::from(command.terms)).enumerate();
            terms.map(|(plane, digit)| i64::from(digit.value()) << (radix_bits as usize * plane)).sum()
        };
        let places = if set == DigitSet::Fp16 { 0 } else { table.digits.len().max(1 << machine.code_bits) };
        let of_place = |place: usize, special: &Digits| {
            let digits = table.digits.get(place).copied().flatten().unwrap_or(*special);
            (digits, sum(&digits))
        };
        let special = command.special_digits.iter().map(|places| set.from_places(*places));
        let by_place = special.map(|s| (0..places).map(|place| of_place(place, &s)).collect()).collect();
        CodeDigits { table, by_place }
    }
}
