//! rust-hdl designs around generated modules of `mosaic-tiny`, for simulation and for their Verilog.

pub mod ports;
pub mod system;

use bitmosaic_arch::{Machine, load};
use bitmosaic_numerics::{Digit, DigitSet};
use bitmosaic_rtl::hardware::build;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::rust_hdl::{Generated, Ports};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rust_hdl_core::prelude::*;

use ports::PePorts;

pub const LANES: usize = 4;
const W: u32 = 14;

pub fn machine() -> Machine {
    load("mosaic-tiny").unwrap()
}

pub fn tile() -> Design {
    build(&machine()).unwrap().tile
}

pub fn aligner() -> Design {
    build(&machine()).unwrap().aligner.unwrap()
}

/// The processing element alone.
pub fn element() -> Design {
    Design::new(tile().module("block_pe").unwrap().clone(), vec![]).unwrap()
}

/// A register as rust-hdl's own libraries write it.
#[derive(LogicBlock, Default)]
pub struct Register {
    pub clock: Signal<In, Clock>,
    pub d: Signal<In, Bits<26>>,
    pub q: Signal<Out, Bits<26>>,
}

impl Logic for Register {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self.d.val();
        }
    }

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(posedge clock) q <= d;".to_string())
    }
}

/// Two PEs of a column and their hold chain, wired by rust-hdl. `sum` is the head's hold register one cycle late; at a
/// capture it is the tail's.
#[derive(LogicBlock)]
pub struct Column {
    pub clk_i: Signal<In, Clock>,
    pub digit: Signal<In, Bits<12>>,
    pub activation: Signal<In, Bits<112>>,
    pub accumulate: Signal<In, Bit>,
    pub clear: Signal<In, Bit>,
    pub plane: Signal<In, Bit>,
    pub capture: Signal<In, Bit>,
    pub shift: Signal<In, Bit>,
    pub chain_end: Signal<In, Bits<26>>,
    pub sum: Signal<Out, Bits<26>>,
    head: Generated<PePorts>,
    tail: Generated<PePorts>,
    register: Register,
}

/// Power-up seeds of the two PEs.
pub const SEEDS: [u64; 2] = [11, 12];

impl Column {
    pub fn new() -> Column {
        let element = element();
        Column {
            clk_i: Default::default(),
            digit: Default::default(),
            activation: Default::default(),
            accumulate: Default::default(),
            clear: Default::default(),
            plane: Default::default(),
            capture: Default::default(),
            shift: Default::default(),
            chain_end: Default::default(),
            sum: Default::default(),
            head: Generated::new(&element, SEEDS[0]).unwrap(),
            tail: Generated::new(&element, SEEDS[1]).unwrap(),
            register: Default::default(),
        }
    }
}

impl Logic for Column {
    #[hdl_gen]
    fn update(&mut self) {
        self.head.clk_i.next = self.clk_i.val();
        self.tail.clk_i.next = self.clk_i.val();
        self.register.clock.next = self.clk_i.val();
        self.head.digit_i.next = self.digit.val();
        self.tail.digit_i.next = self.digit.val();
        self.head.activation_i.next = self.activation.val().get_bits::<56>(0);
        self.tail.activation_i.next = self.activation.val().get_bits::<56>(56);
        self.head.accumulate_i.next = self.accumulate.val();
        self.tail.accumulate_i.next = self.accumulate.val();
        self.head.clear_i.next = self.clear.val();
        self.tail.clear_i.next = self.clear.val();
        self.head.plane_i.next = self.plane.val();
        self.tail.plane_i.next = self.plane.val();
        self.head.capture_i.next = self.capture.val();
        self.tail.capture_i.next = self.capture.val();
        self.head.shift_i.next = self.shift.val();
        self.tail.shift_i.next = self.shift.val();
        self.head.chain_i.next = self.tail.chain_o.val();
        self.tail.chain_i.next = self.chain_end.val();
        self.register.d.next = self.head.chain_o.val();
        if self.capture.val() {
            self.register.d.next = self.tail.chain_o.val();
        }
        self.sum.next = self.register.q.val();
    }
}

/// Inputs of a column in one cycle.
#[derive(Debug, Clone)]
pub struct Step {
    pub digits: [Digit; LANES],
    /// Row by row.
    pub activations: [[i64; LANES]; 2],
    pub accumulate: bool,
    pub clear: bool,
    pub plane: bool,
    pub capture: bool,
    pub shift: bool,
    pub end: u64,
}

impl Step {
    pub fn digit_bits(&self) -> u64 {
        self.digits.iter().rev().fold(0, |bits, digit| bits << 3 | u64::from(DigitSet::Radix4.encode(*digit)))
    }

    pub fn row_bits(&self, row: usize) -> u64 {
        let mask = (1 << W) - 1;
        self.activations[row].iter().rev().fold(0, |bits, a| bits << W | (*a as u64 & mask))
    }

    /// Sets the inputs of a column.
    pub fn apply(&self, column: &mut Column) {
        column.digit.next = self.digit_bits().into();
        let rows = [self.row_bits(0), self.row_bits(1)];
        let bit = |at: usize| rows[at / 56] >> (at % 56) & 1 == 1;
        column.activation.next =
            (0..112).filter(|at| bit(*at)).fold(Bits::default(), |bits: Bits<112>, at| bits.replace_bit(at, true));
        column.accumulate.next = self.accumulate;
        column.clear.next = self.clear;
        column.plane.next = self.plane;
        column.capture.next = self.capture;
        column.shift.next = self.shift;
        column.chain_end.next = self.end.into();
    }
}

/// Groups of 1 to 9 terms with pauses, each captured and shifted out while the next runs.
pub fn steps(seed: u64) -> Vec<Step> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |n: u32| random.next_u32() % n;
    let mut steps = Vec::new();
    for _ in 0..40 {
        let length = 1 + below(9);
        let mut first = true;
        let mut term = 0;
        while term < length {
            let accumulate = below(5) > 0;
            let last = accumulate && term + 1 == length;
            steps.push(Step {
                digits: std::array::from_fn(|_| DigitSet::Radix4.digits()[below(7) as usize]),
                activations: std::array::from_fn(|_| {
                    std::array::from_fn(|_| i64::from(below(1 << W)) - (1 << (W - 1)))
                }),
                accumulate,
                clear: first,
                plane: below(2) == 1,
                capture: last,
                shift: !last && below(3) > 0,
                end: u64::from(below(1 << 26)),
            });
            first &= !accumulate;
            term += u32::from(accumulate);
        }
    }
    steps
}

/// `sum` before the edge of every step by host arithmetic, `None` while it depends on what was there at power-up.
pub fn host(steps: &[Step]) -> Vec<Option<u64>> {
    let mut accumulator = [None; 2];
    let mut hold: [Option<i64>; 2] = [None; 2];
    let mut register = None;
    let bits = |value: i64| value as u64 & ((1 << 26) - 1);
    steps
        .iter()
        .map(|step| {
            let shown = register;
            register = if step.capture { hold[1] } else { hold[0] }.map(bits);
            let total: [Option<i64>; 2] = std::array::from_fn(|row| {
                let product = |(digit, a): (&Digit, &i64)| i64::from(digit.value()) * a;
                let term: i64 = step.digits.iter().zip(&step.activations[row]).map(product).sum();
                let before: Option<i64> = if step.clear { Some(0) } else { accumulator[row] };
                before.map(|before| before + (term << (2 * u32::from(step.plane))))
            });
            if step.capture {
                hold = total;
            } else if step.shift {
                hold = [hold[1], Some(step.end as i64)];
            }
            if step.accumulate {
                accumulator = total;
            }
            shown
        })
        .collect()
}

/// A generated design as the whole rust-hdl design.
pub fn block<P: Ports>(design: &Design) -> Generated<P> {
    Generated::new(design, BLOCK_SEED).unwrap()
}

/// Power-up seed of [`block`].
pub const BLOCK_SEED: u64 = 5;
