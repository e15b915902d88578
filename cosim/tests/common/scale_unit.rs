//! Scale unit against `kernels::datapath::{scaled_sum, accumulate}`: passes of groups of slots, bubbles and stops at random.

use bitmosaic_arch::Machine;
use bitmosaic_cosim::random::Random;
use bitmosaic_kernels::datapath::{accumulate, scaled_sum};
use bitmosaic_numerics::exact::power_of_two;
use bitmosaic_numerics::{Scale, ScaleKind};
use bitmosaic_rtl::netlist::{Module, low_mask};

use super::bench;

/// Slots that are driven.
const SLOTS: usize = 60_000;
/// Groups of a long pass; others have at most 8.
const LONG_PASS: usize = 20;

/// A slot on its way.
#[derive(Debug, Clone, Copy)]
struct Slot {
    index: usize,
    first_group: bool,
    product: Product,
    before: f32,
    after: f32,
    carried: (u16, bool),
    /// Place of its accumulator.
    address: u32,
    /// The flag that leaves: a memory keeps that of the parts before.
    flag: bool,
}

/// What is multiplied: group sum, significand of the scale, exponent of both.
#[derive(Debug, Clone, Copy)]
struct Product {
    sum: i64,
    scale: u32,
    exponent: u32,
}

/// Random and crafted slots.
pub fn check(machine: &Machine, module: &Module) -> Result<(), String> {
    let mut simulator = bench::simulator(module)?;
    let names = ["sum_i", "exponent_i", "channel_i", "non_finite_i", "advance_i", "first_group_i", "write_i"];
    let [sum, exponent, channel, non_finite, advance, first_group, write] = bench::inputs(&simulator, names);
    // Where the PEs multiply, the unit gets the product.
    let scale = simulator.input("scale_i");
    let in_flight = simulator.input("in_flight_i");
    let (read_address, write_address) = (simulator.input("read_address_i"), simulator.input("write_address_i"));
    let reads = simulator.input("read_i");
    let (read, stages) = (machine.scale_unit.read_stage() as usize, machine.scale_unit.write_stage() as usize);
    let [accumulator_o, channel_o, non_finite_o] =
        bench::outputs(&simulator, ["accumulator_o", "channel_o", "non_finite_o"]);
    let mut random = Random::new(2);
    let mut source = Source::new(machine);
    let mut pipeline: Vec<Option<Slot>> = vec![None; stages];
    let mut issued = 0;
    while issued < SLOTS {
        let moves = random.below(8) > 0;
        let slot = (moves && random.below(8) > 0).then(|| source.next(&mut random));
        // Bubbles and stopped cycles carry any bits.
        let product = slot.map_or_else(|| source.any_product(&mut random), |s| s.product);
        let carried = slot.map_or((random.bits() as u16, random.below(2) == 0), |s| s.carried);
        match scale {
            Some(scale) => {
                simulator.set(sum, product.sum as u64);
                simulator.set(scale, u64::from(product.scale));
            }
            None => simulator.set(sum, (product.sum * i64::from(product.scale)) as u64),
        }
        simulator.set(exponent, u64::from(product.exponent));
        simulator.set(channel, u64::from(carried.0));
        simulator.set(non_finite, u64::from(carried.1));
        simulator.set(advance, u64::from(moves));
        let first = pipeline[read - 1].map_or(random.below(2) == 0, |s| s.first_group);
        simulator.set(first_group, u64::from(first));
        simulator.set(write, u64::from(pipeline[stages - 1].is_some()));
        if let Some(in_flight) = in_flight {
            simulator.set(in_flight, pipeline[read..].iter().flatten().count() as u64);
        }
        if let Some(reads) = reads {
            simulator.set(reads, u64::from(pipeline[read - 2].is_some()));
        }
        // Where no slot is, any place.
        for (port, stage) in [(read_address, read - 1), (write_address, stages)] {
            let any = random.bits() & (machine.scale_unit.accumulator_places() - 1);
            if let Some(port) = port {
                simulator.set(port, u64::from(pipeline[stage - 1].map_or(any, |slot| slot.address)));
            }
        }
        simulator.settle();
        if let Some(slot) = pipeline[stages - 1] {
            let found = simulator.get(&accumulator_o) as u32;
            let carried = (simulator.get(&channel_o) as u16, simulator.get(&non_finite_o) == 1);
            if found != slot.after.to_bits() {
                return Err(format!("{slot:?}: {found:#010x}, should be {:#010x}", slot.after.to_bits()));
            }
            if carried != (slot.carried.0, slot.flag) {
                return Err(format!("{slot:?}: carried {carried:?}"));
            }
        }
        simulator.edge();
        if moves {
            pipeline.rotate_right(1);
            pipeline[0] = slot;
            issued += usize::from(slot.is_some());
        }
    }
    Ok(())
}

/// How often the stimulus has what it is made for.
#[derive(Debug, Default)]
pub struct Census {
    /// Sums that cancel to zero.
    pub zero: u32,
    /// Sums that lose 12 bits and more.
    pub cancelled: u32,
    /// Sums in the middle of two binary32 numbers.
    pub ties: u32,
    /// The group's value is larger than the accumulator.
    pub swapped: u32,
    /// Equal exponents.
    pub level: u32,
    /// Exponents 64 and more apart.
    pub far: u32,
    /// Products in the middle of two binary32 numbers.
    pub product_ties: u32,
}

/// Counts over the slots of [`check`].
pub fn census(machine: &Machine) -> Census {
    let (mut random, mut source, mut census) = (Random::new(2), Source::new(machine), Census::default());
    for _ in 0..SLOTS {
        let slot = source.next(&mut random);
        let product = (slot.product.sum * i64::from(slot.product.scale)).unsigned_abs();
        let below = (u64::BITS - product.leading_zeros()).saturating_sub(24);
        census.product_ties += u32::from(below > 0 && product & low_mask(below) == 1 << (below - 1));
        let scaled = source.scaled(slot.product);
        if slot.before == 0.0 || scaled == 0.0 {
            continue;
        }
        let exponent = |x: f32| (x.to_bits() >> 23 & 0xFF) as i32;
        let distance = exponent(slot.before) - exponent(scaled);
        census.zero += u32::from(slot.after == 0.0);
        census.cancelled += u32::from(slot.after != 0.0 && exponent(slot.before) - exponent(slot.after) >= 12);
        census.swapped += u32::from(scaled.abs() > slot.before.abs());
        census.level += u32::from(distance == 0);
        census.far += u32::from(distance >= 64);
        // Exact: 24 bits each, no further apart than 28.
        let lost = (f64::from(slot.before) + f64::from(scaled) - f64::from(slot.after)).abs();
        let half = power_of_two(exponent(slot.after) - 151);
        census.ties += u32::from(distance.abs() <= 28 && slot.after != 0.0 && lost == half);
    }
    census
}

/// Gives slots in the order of the hardware and keeps the accumulators that they should leave.
struct Source {
    significand_bits: u32,
    largest_exponent: u32,
    sum_bits: u32,
    /// Of the scale's significand.
    scale_bits: u32,
    /// By place, with the flags of the parts so far.
    accumulators: Vec<(f32, bool)>,
    blocks: u32,
    /// The pass, and whether it goes on from a part before.
    block: u32,
    continues: bool,
    /// Passes that there was, as bits.
    used: u64,
    slots: usize,
    places: u32,
    slot: usize,
    group: usize,
    groups: usize,
}

impl Source {
    fn new(machine: &Machine) -> Source {
        Source {
            // W of a machine with this unit of the last place.
            significand_bits: (-13 - machine.scale_unit.exponent_offset) as u32,
            largest_exponent: match machine.aligner {
                Some(_) if ScaleKind::any_has_exponents(&machine.scale_kinds) => 31 + 39,
                Some(_) => 31,
                None => 30 + 2 + 2 * (machine.max_terms - 1),
            },
            sum_bits: machine.pe.accumulator_bits,
            scale_bits: machine.scale_unit.significand_bits,
            accumulators: vec![(0.0, false); machine.scale_unit.accumulator_places() as usize],
            blocks: machine.scale_unit.accumulator_blocks,
            block: 0,
            continues: false,
            used: 0,
            slots: machine.scale_unit.ring_entries() as usize,
            places: machine.scale_unit.accumulator_address(1, 0),
            slot: 0,
            group: 0,
            groups: 5,
        }
    }

    fn next(&mut self, random: &mut Random) -> Slot {
        let first_group = self.group == 0 && !self.continues;
        let address = self.block * self.places + self.slot as u32;
        let (before, seen) = if first_group { (0.0, false) } else { self.accumulators[address as usize] };
        let product = match random.below(4) {
            // Many large groups of one sign and then a smallest: the widest distance of exponents.
            _ if self.groups == LONG_PASS => match self.group + 3 < self.groups {
                true => Product { sum: self.largest(), scale: (1 << self.scale_bits) - 1, exponent: 30 },
                false => Product { sum: 1, scale: 1, exponent: 1 + random.below(5) as u32 },
            },
            _ if before != 0.0 && random.below(4) > 0 => self.product_near(random, before),
            0 => self.any_product(random),
            _ => self.product_at_a_rounding(random),
        };
        let after = accumulate(before, self.scaled(product));
        let carried = (random.bits() as u16, random.below(8) == 0);
        let flag = carried.1 || (seen && self.blocks > 1);
        let slot = Slot { index: self.slot, first_group, product, before, after, carried, address, flag };
        self.accumulators[address as usize] = (after, flag);
        self.slot += 1;
        if self.slot == self.slots {
            self.slot = 0;
            self.group += 1;
        }
        if self.group == self.groups {
            (self.group, self.groups) = (0, if random.below(8) == 0 { LONG_PASS } else { 1 + random.below(8) });
            if self.blocks > 1 {
                self.used |= 1 << self.block;
                self.block = random.below(self.blocks as usize) as u32;
                self.continues = self.used >> self.block & 1 == 1 && random.below(2) == 0;
            }
        }
        slot
    }

    fn scaled(&self, product: Product) -> f32 {
        let scale = Scale { significand: product.scale, exponent: 0 };
        scaled_sum(product.sum, scale, product.exponent, self.significand_bits)
    }

    fn scale(&self, random: &mut Random) -> u32 {
        let largest = (1 << self.scale_bits) - 1;
        match random.below(6) {
            0 => [0, 1, 2, largest][random.below(4)] & largest,
            _ => random.bits() & largest,
        }
    }

    fn power(&self, random: &mut Random) -> u32 {
        1 << random.below(self.scale_bits as usize)
    }

    fn exponent(&self, random: &mut Random) -> u32 {
        1 + random.below(self.largest_exponent as usize) as u32
    }

    /// Largest sum that an accumulator of this width holds.
    fn largest(&self) -> i64 {
        (1 << (self.sum_bits - 1)) - 1
    }

    fn any_product(&self, random: &mut Random) -> Product {
        let wide = u64::from(random.bits()) << 32 | u64::from(random.bits());
        let magnitude = match random.below(8) {
            0 => self.largest(),
            1 => 0,
            _ => ((wide & low_mask(self.sum_bits - 1)) >> random.below(self.sum_bits as usize)) as i64,
        };
        let sum = if random.below(2) == 0 { magnitude } else { -magnitude };
        Product { sum, scale: self.scale(random), exponent: self.exponent(random) }
    }

    /// Products whose conversion is a tie, just beside one, or carries through the whole fraction.
    fn product_at_a_rounding(&self, random: &mut Random) -> Product {
        let bits = self.sum_bits - 1;
        let power = 1i64 << random.below(bits as usize);
        let sum = match random.below(4) {
            0 => power - 1,
            1 => power + 1,
            2 => self.largest() - (power - 1),
            _ => {
                // An odd number of 25 bits is a tie; then some zeros, and one more or less.
                let tie = i64::from(random.bits() >> 8) << 1 | 1 << 24 | 1;
                let above = (bits as usize).saturating_sub(25);
                (tie << random.below(above + 1)) + random.below(3) as i64 - 1
            }
        };
        let sum = sum.min(self.largest());
        let sum = if random.below(2) == 0 { sum } else { -sum };
        let scale = if random.below(2) == 0 { self.power(random) } else { self.scale(random) };
        Product { sum, scale, exponent: self.exponent(random) }
    }

    /// Products that meet this accumulator critically: cancellation, ties of the sum, just beside a tie, far below, carries
    /// into the next binade and borrows out of it.
    fn product_near(&self, random: &mut Random, accumulator: f32) -> Product {
        let value = f64::from(accumulator);
        let ulp = power_of_two(((accumulator.to_bits() >> 23) & 0xFF) as i32 - 150);
        let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
        let small = |random: &mut Random| (random.below(9) as f64) - 4.0;
        let odd = |random: &mut Random, bits: usize| f64::from(random.bits() >> (32 - random.below(bits) - 1) | 1);
        let target = match random.below(9) {
            0 => -value,
            1 => -value + ulp * small(random) / 2.0,
            2 => sign * ulp / 2.0 * odd(random, 22),
            3 => sign * ulp / 4.0 * odd(random, 22),
            4 => sign * ulp / 2.0 * (1.0 + sign * power_of_two(-(random.below(23) as i32))),
            5 => sign * value.abs() * (1.0 + small(random) * power_of_two(-23)),
            6 => {
                sign * value
                    * power_of_two(-(random.below(40) as i32))
                    * (1.0 + f64::from(random.bits()) / power_of_two(32))
            }
            7 => {
                let top = value.signum() * ulp * power_of_two(24 - random.below(2) as i32);
                top - value + ulp * small(random) / 4.0
            }
            _ => sign * ulp * power_of_two(random.below(8) as i32 - 6) * (1.0 + small(random) / 16.0),
        };
        self.product_of(random, target).unwrap_or_else(|| self.any_product(random))
    }

    /// A product of this value or close to it, exponent and scale at random.
    fn product_of(&self, random: &mut Random, target: f64) -> Option<Product> {
        (0..12).find_map(|_| {
            let scale = if random.below(2) == 0 { self.power(random) } else { self.scale(random) };
            let exponent = self.exponent(random);
            let unit = power_of_two(exponent as i32 - 25 - (self.significand_bits as i32 - 12));
            let sum = (target / (unit * f64::from(scale))).round();
            let fits = scale > 0 && sum != 0.0 && sum.abs() <= self.largest() as f64;
            fits.then_some(Product { sum: sum as i64, scale, exponent })
        })
    }
}
