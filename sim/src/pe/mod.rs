//! Processing elements, one file a kind; the twins of `rtl/src/hardware/pe`.

pub mod bit_serial_block;
pub mod bit_serial_float;
pub mod fp16_int;
pub mod fp16_mac;

use bitmosaic_arch::{FloatPe, Machine, PeWidths, TermOrder};
use bitmosaic_numerics::{Digit, f16};

/// What a weight gives a lane in a cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    /// A digit of the machine's set.
    Digit(Digit),
    /// An FP16 weight as it is, for `fp16-mac`.
    Number(f16),
}

impl Default for Term {
    fn default() -> Term {
        Term::Digit(Digit::default())
    }
}

impl Term {
    /// The digit; 0 of a number, which no kind but `fp16-mac` meets.
    fn digit(self) -> Digit {
        match self {
            Term::Digit(digit) => digit,
            Term::Number(_) => Digit::default(),
        }
    }

    /// The number; 0 of a digit, which `fp16-mac` does not meet.
    fn number(self) -> f16 {
        match self {
            Term::Digit(_) => f16::ZERO,
            Term::Number(number) => number,
        }
    }
}

/// A number on its way through a PE: `significand · 2^exponent`, up to the machine's offset. Shared-exponent PEs leave the
/// exponent at 0, theirs comes with the group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Two's complement.
    pub significand: i64,
    /// Biased exponent; 0 where nothing but zeros was summed.
    pub exponent: u32,
}

/// Registers of one PE.
#[derive(Debug, Clone, Default)]
pub struct PeState {
    /// Lane products (pipeline register 2).
    pub lanes: Vec<Sum>,
    /// Whether the digit of the last lane is negative.
    pub last_is_negative: bool,
    /// Sum of the lane products (pipeline register 1).
    pub tree: Sum,
    /// `last_is_negative` beside the sum: the part of it that `bit-serial-block` leaves to the accumulator's addition.
    pub carry: bool,
    /// Group accumulator.
    pub accumulator: Sum,
    /// Finished group sum on its way to the scale unit.
    pub hold: Sum,
}

impl PeState {
    /// Products of the lanes.
    pub fn multiply(&mut self, arithmetic: &Arithmetic, terms: &[Term], activations: &[i32]) {
        arithmetic.products(terms, activations, &mut self.lanes);
        self.last_is_negative = terms.last().is_some_and(|term| term.digit().value() < 0);
    }

    /// Sum of the products.
    pub fn add_lanes(&mut self, arithmetic: &Arithmetic) {
        self.tree = arithmetic.sum(&self.lanes);
        self.carry = self.last_is_negative;
    }
}

/// What a kind of PE computes.
#[derive(Debug, Clone)]
pub enum Arithmetic {
    /// `bit-serial-block`.
    Block {
        /// Plane k weighs 2^(k · radix_bits).
        radix_bits: u32,
        /// Terms of a plane follow each other, the highest plane first.
        plane_major: bool,
    },
    /// `bit-serial-float`.
    Float(FloatPe),
    /// `fp16-int`.
    Int {
        /// Plane k weighs 2^(k · radix_bits).
        radix_bits: u32,
    },
    /// `fp16-mac`.
    Mac(FloatPe),
}

impl Arithmetic {
    /// That of the machine's PEs.
    pub fn new(machine: &Machine) -> Arithmetic {
        match &machine.pe.kind {
            PeWidths::Block(_) => Arithmetic::Block {
                radix_bits: machine.pe.digit_set.radix_bits(),
                plane_major: machine.pe.order == TermOrder::PlaneMajor,
            },
            PeWidths::Float(float) => Arithmetic::Float(float.clone()),
            PeWidths::Int(_) => Arithmetic::Int { radix_bits: machine.pe.digit_set.radix_bits() },
            PeWidths::Mac(widths) => Arithmetic::Mac(widths.clone()),
        }
    }

    /// Product of each lane, in place of `lanes`. Activations are aligned integers, or FP16 patterns.
    pub fn products(&self, terms: &[Term], activations: &[i32], lanes: &mut Vec<Sum>) {
        lanes.clear();
        let pairs = terms.iter().zip(activations);
        match self {
            Arithmetic::Block { .. } => lanes.extend(pairs.map(|(t, a)| bit_serial_block::product(t.digit(), *a))),
            Arithmetic::Float(_) => lanes.extend(pairs.map(|(t, a)| bit_serial_float::product(t.digit(), *a))),
            Arithmetic::Int { .. } => lanes.extend(pairs.map(|(t, a)| fp16_int::product(t.digit(), *a))),
            Arithmetic::Mac(_) => lanes.extend(pairs.map(|(t, a)| fp16_mac::product(t.number(), *a))),
        }
    }

    /// Sum of the lanes.
    pub fn sum(&self, lanes: &[Sum]) -> Sum {
        match self {
            Arithmetic::Block { .. } => bit_serial_block::sum(lanes),
            Arithmetic::Float(widths) => bit_serial_float::sum(widths, lanes),
            Arithmetic::Int { .. } => fp16_int::sum(lanes),
            Arithmetic::Mac(widths) => fp16_mac::sum(widths, lanes),
        }
    }

    /// Accumulator after a term of digit plane `plane`, the first of a lower plane where `next_plane` says so.
    pub fn accumulate(&self, accumulator: Sum, next_plane: bool, tree: Sum, plane: u32) -> Sum {
        match self {
            Arithmetic::Block { radix_bits, plane_major: false } => {
                bit_serial_block::accumulate(accumulator, tree, radix_bits * plane)
            }
            Arithmetic::Block { radix_bits, plane_major: true } => {
                let moved = Sum { significand: accumulator.significand << radix_bits, ..accumulator };
                bit_serial_block::accumulate(if next_plane { moved } else { accumulator }, tree, 0)
            }
            Arithmetic::Float(widths) => bit_serial_float::accumulate(widths, accumulator, tree, plane),
            Arithmetic::Int { radix_bits } => fp16_int::accumulate(accumulator, tree, radix_bits * plane),
            Arithmetic::Mac(widths) => fp16_mac::accumulate(widths, accumulator, tree, plane),
        }
    }
}
