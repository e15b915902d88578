use bitmosaic_numerics::{DigitSet, ScaleKind, TermTable, WeightType, registry};

use crate::digits::{PAIRS_EXPECTED, fits_lanes};
use crate::{Array, TermOrder};

/// An elaborated design: every width, latency and capacity that simulator, netlist, area and energy use.
/// Columns are output channels, rows are tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Design name.
    pub name: String,
    /// One line.
    pub summary: String,
    /// SHA-256 of the design in canonical TOML form, hexadecimal.
    pub design_sha256: String,
    /// Clock in MHz.
    pub clock_mhz: u32,
    /// Tile shape.
    pub tile: Tile,
    /// Processing element.
    pub pe: Pe,
    /// Aligner on the way into the activation buffer, for PEs whose activations share an exponent.
    pub aligner: Option<Aligner>,
    /// Scale units and output stages.
    pub scale_unit: ScaleUnit,
    /// Executed weight types; a command names one by its index.
    pub types: Vec<ExecutedType>,
    /// Bits of a code on the weight stream, the largest of the executed types.
    pub code_bits: u32,
    /// Executed kinds of group scale, in the order of [`ScaleKind::ALL`].
    pub scale_kinds: Vec<ScaleKind>,
    /// Bits of a group scale code on the scale stream, the largest of the executed kinds.
    pub scale_code_bits: u32,
    /// Bits of a zero point on the scale stream, the largest of the executed types; 0 if none has zero points.
    pub zero_point_bits: u32,
    /// Bits of the sum of a group's aligned activations on the exponent stream; 0 without zero points.
    pub activation_sum_bits: u32,
    /// Most terms per weight of the executed types.
    pub max_terms: u32,
    /// Largest group in input channels.
    pub max_group: u32,
    /// Input channels of an entry of weight and activation buffer, loaded and aligned at a time: some chunks of `pe.lanes`,
    /// one for a tile alone. Groups are multiples of it.
    pub entry_channels: u32,
    /// The array around the tile; none for a design that is a tile alone.
    pub array: Option<Array>,
    /// FP16 elements a cycle of the vector unit; none without one.
    pub vector_lanes: Option<u32>,
}

/// Tile shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// Rows of PEs (tokens).
    pub rows: u32,
    /// Columns of PEs (output channels).
    pub columns: u32,
    /// Bits of a weight beat: per column, lowest first, `lanes` codes and the 2-bit special value selector of its group.
    pub weight_beat_bits: u32,
    /// Bits of an activation beat: per row, `lanes` activations.
    pub activation_beat_bits: u32,
    /// Bits of a column on the scale stream: lowest first, group scale code and zero point.
    pub scale_field_bits: u32,
    /// Bits of a scale beat: a field per column.
    pub scale_beat_bits: u32,
    /// Bits of a row on the exponent stream, and of what the aligner says of a group: lowest first, 5 bits of shared
    /// exponent, the non-finite flag, and the sum of the aligned activations.
    pub exponent_field_bits: u32,
    /// Bits of an exponent beat: a field per row; none without aligner.
    pub exponent_beat_bits: Option<u32>,
    /// Bits of a channel beat: per column an FP16 channel scale.
    pub channel_beat_bits: u32,
    /// Bits of an output beat: an FP16 per scale unit.
    pub output_beat_bits: u32,
}

/// Processing element: what every kind has.
#[derive(Debug, Clone, PartialEq)]
pub struct Pe {
    /// Weights a cycle.
    pub lanes: u32,
    /// Bits of an activation on the activation stream.
    pub activation_bits: u32,
    /// Largest |weight value| in bits, programmable special values included.
    pub weight_magnitude_bits: u32,
    /// Group accumulator, sign included.
    pub accumulator_bits: u32,
    /// Digits that the lanes multiply by.
    pub digit_set: DigitSet,
    /// Bits of a digit on the wires: those of the digit set, or fewer where lanes multiply by it and the executed types need no
    /// more: the lowest ones.
    pub digit_bits: u32,
    /// Which terms follow each other.
    pub order: TermOrder,
    /// Registers between the operand register and the accumulator (0 to 2).
    pub pipeline_registers: u32,
    /// Kind and its own widths.
    pub kind: PeWidths,
}

/// Widths of a kind of processing element.
#[derive(Debug, Clone, PartialEq)]
pub enum PeWidths {
    /// Digits times aligned activations, summed as integers.
    Block(BlockPe),
    /// Digits times FP16 activations, aligned every cycle.
    Float(FloatPe),
    /// Whole weights, parts of them in two's complement, or their significands, times aligned activations, summed as integers.
    Int(IntPe),
    /// FP16 weights times FP16 activations, aligned every cycle.
    Mac(FloatPe),
}

impl PeWidths {
    /// W where activations share an exponent.
    pub fn significand_bits(&self) -> Option<u32> {
        match self {
            PeWidths::Block(block) => Some(block.significand_bits),
            PeWidths::Int(int) => Some(int.significand_bits),
            PeWidths::Float(_) | PeWidths::Mac(_) => None,
        }
    }

    /// Widths of a PE whose group sums have an exponent of their own.
    pub fn float(&self) -> Option<&FloatPe> {
        match self {
            PeWidths::Float(float) | PeWidths::Mac(float) => Some(float),
            PeWidths::Block(_) | PeWidths::Int(_) => None,
        }
    }
}

/// `fp16-int`. The group accumulator is that of [`BlockPe`].
#[derive(Debug, Clone, PartialEq)]
pub struct IntPe {
    /// Aligned activation, sign included (W).
    pub significand_bits: u32,
    /// Bits of a digit that multiply an activation, the lowest: all, or the significand of a digit with a shift.
    pub multiplier_bits: u32,
    /// Largest shift of a product, as the rest of the digit says; 0 for digits without shifts.
    pub largest_shift: u32,
    /// Digit times activation, shift included.
    pub product_bits: u32,
    /// Sum of `lanes` products: log2 lanes more.
    pub tree_bits: u32,
}

/// `bit-serial-block`. The group accumulator has W - 1 + weight bits + log2 of the largest group + 1 bits; its sum is exact.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockPe {
    /// Aligned activation, sign included (W).
    pub significand_bits: u32,
    /// Digit times activation in ones' complement, whose carry the additions take: W + log2 of the largest digit, rounded up,
    /// since |activation| <= 2^(W-1).
    pub product_bits: u32,
    /// Sum of `lanes` products, less the carry of the last lane, which the accumulator's addition takes: log2 lanes more.
    pub tree_bits: u32,
    /// Three times an activation, for digits that need it: W + 2; 0 for others.
    pub triple_bits: u32,
}

/// `bit-serial-float` and `fp16-mac`. The group accumulator has an exponent of its own and holds an aligned significand, the lanes,
/// the guard bits, and one addition a cycle, of which none is larger than the first.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatPe {
    /// Bits of a product's significand, sign excluded: 11 of an activation, times a weight's 22.
    pub significand_bits: u32,
    /// Bits kept below it.
    pub guard_bits: u32,
    /// Bits kept below a cycle's sum in the accumulator.
    pub accumulator_guard_bits: u32,
    /// Sum of `lanes` aligned significands, sign included.
    pub sum_bits: u32,
    /// Exponent of lanes and accumulator: up to 30 + 2 + 2 · (planes - 1); of FP16 weights up to 30 + 30.
    pub exponent_bits: u32,
    /// Hold register: the accumulator, times an 8-bit scale code where the PE multiplies.
    pub held_bits: u32,
}

/// Aligner: FP16 in, W-bit integers with a shared exponent per (token, group) out.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligner {
    /// Values a cycle, in and out: [`Machine::entry_channels`].
    pub values_per_cycle: u32,
    /// Beats of the largest group; the group buffer holds two groups.
    pub group_beats: u32,
    /// Bits of an aligned beat: `values_per_cycle` integers and the fields of [`Tile::exponent_field_bits`], the sum so far.
    pub output_beat_bits: u32,
    /// Registers ahead of the group buffer.
    pub input_registers: u32,
    /// Registers within the shift and rounding of a value.
    pub lane_registers: u32,
    /// Registers from the last beat of a group to its first aligned beat: those ahead of the buffer, full flag, RAM read,
    /// those of the lanes, output register.
    pub latency_cycles: u32,
}

/// Scale unit and output stage. `units` of them work in lockstep, each on its own chain of PEs.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleUnit {
    /// PEs per unit, in column-major order (row fastest).
    pub pes: u32,
    /// Units in the tile.
    pub units: u32,
    /// Cycles in which the PEs themselves multiply by the scale code, one bit a cycle, before their slots; 0 where the unit
    /// multiplies.
    pub dequantize_cycles: u32,
    /// Cycles a group occupies hold registers and unit: `dequantize_cycles`, then a slot a PE, at least the loop of the FP32
    /// adder, and one more where the accumulators stand in a memory.
    pub slots: u32,
    /// Passes whose FP32 accumulators are held: 1, in a rotating register, or more, in a memory.
    pub accumulator_blocks: u32,
    /// Registers before the multiplication, in which zero points are applied and scale codes taken apart: 1, or 0 for a
    /// machine whose scales are all 8-bit integers without zero points.
    pub decode_cycles: u32,
    /// Bits of the significand of a group scale.
    pub significand_bits: u32,
    /// Group sum times scale significand.
    pub product_bits: u32,
    /// Bits of a group's exponent, with that of its scale less the smallest where scales have one.
    pub exponent_bits: u32,
    /// Registers within the steps, 0 or 1: whether each of them is one cycle or cut into parts of a cycle.
    pub step_registers: u32,
    /// Cycles of the conversion of a product to binary32: one, or negate; normalize; round.
    pub convert_cycles: u32,
    /// Cycles from reading a PE's FP32 accumulator to having its new value: align and add; normalize and round. Or read; compare;
    /// align and add; normalize; round.
    pub loop_cycles: u32,
    /// Cycles of the output stage after the accumulator: multiply by the channel scale; round to FP16. Or multiply;
    /// normalize; round to binary32; find the bits that a subnormal loses; round to FP16.
    pub output_cycles: u32,
    /// Registers from a PE's hold register to the output register: decode if there is a need, multiply, then convert,
    /// accumulate, and the output stage.
    pub output_latency_cycles: u32,
    /// A group sum `s` stands for `s · 2^(exponent + exponent_offset)`: -25, or -26 with FP16 weights, whose units are 2^-24, less the
    /// bits kept below a significand,
    /// and [`SMALLEST_SCALE_EXPONENT`] where scales have an exponent.
    ///
    /// [`SMALLEST_SCALE_EXPONENT`]: bitmosaic_numerics::SMALLEST_SCALE_EXPONENT
    pub exponent_offset: i32,
}

/// A weight type this machine executes.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutedType {
    /// The type.
    pub weight_type: WeightType,
    /// Its canonical digits.
    pub table: TermTable,
}

/// Whether a machine executes a type.
#[derive(Debug, Clone, PartialEq)]
pub enum Support {
    /// Yes, in this many terms (cycles) per weight.
    Executes {
        /// Index in the machine's list, as commands name it.
        index: usize,
        /// Terms per weight.
        terms: u32,
    },
    /// No; the host can still quantize and evaluate it.
    HostOnly {
        /// Why, and what would help.
        reason: String,
    },
}

/// Bits of the shared exponent of a group of activations.
pub const EXPONENT_BITS: u32 = 5;

/// An accumulator in a memory: binary32, above it the non-finite flag of its token so far.
pub const ACCUMULATOR_BITS: u32 = 33;

impl ScaleUnit {
    /// FP32 accumulators of a unit and pass: one a slot, the PEs' own dequantizing cycles left out.
    pub fn ring_entries(&self) -> u32 {
        self.slots - self.dequantize_cycles
    }

    /// Bits of an accumulator's place in the memory, the slot lowest, then the pass; none where a register holds them.
    pub fn accumulator_address_bits(&self) -> Option<u32> {
        let bits = |values: u32| values.next_power_of_two().ilog2();
        (self.accumulator_blocks > 1).then(|| bits(self.ring_entries()) + bits(self.accumulator_blocks))
    }

    /// Places of accumulators, some unused where the slots of a pass are no power of two.
    pub fn accumulator_places(&self) -> u32 {
        self.accumulator_address_bits().map_or(self.ring_entries(), |bits| 1 << bits)
    }

    /// Place of a slot's accumulator of pass `block`.
    pub fn accumulator_address(&self, block: u32, slot: u32) -> u32 {
        block % self.accumulator_blocks * self.ring_entries().next_power_of_two() + slot
    }

    /// Stage at whose end a slot reads its FP32 accumulator, that of the product being 1.
    pub fn read_stage(&self) -> u32 {
        1 + self.convert_cycles
    }

    /// Stage at whose end the new value goes back to the accumulators.
    pub fn write_stage(&self) -> u32 {
        self.read_stage() + self.loop_cycles - 1
    }
}

impl Machine {
    /// Processing elements of the tile.
    pub fn pes(&self) -> u32 {
        self.tile.rows * self.tile.columns
    }

    /// Whether and how the machine executes the type of this name.
    pub fn support(&self, type_name: &str) -> Support {
        match self.types.iter().position(|t| t.weight_type.name == type_name) {
            Some(index) => Support::Executes { index, terms: self.types[index].table.terms as u32 },
            None => {
                let registered = registry().into_iter().find(|t| t.name == type_name);
                let obstacle = registered.and_then(|t| match TermTable::new(&t, self.pe.digit_set) {
                    Ok(_) if fits_lanes(&t, self.pe.lanes) => None,
                    Ok(_) => Some(PAIRS_EXPECTED.to_string()),
                    Err(error) => Some(error.to_string()),
                });
                if let Some(obstacle) = obstacle {
                    return Support::HostOnly {
                        reason: format!("design `{}` cannot execute `{type_name}`: {obstacle}", self.name),
                    };
                }
                let types = self.types.iter().map(|t| t.weight_type.name).collect::<Vec<_>>().join(", ");
                Support::HostOnly {
                    reason: format!(
                        "design `{}` has no term table for `{type_name}`; it executes {types}; add the type to `weights.types` of the design",
                        self.name
                    ),
                }
            }
        }
    }

    /// Row and column of the PE that scale unit `unit` serves as its `index`-th, or `None` beyond its PEs.
    pub fn pe_of_unit(&self, unit: u32, index: u32) -> Option<(u32, u32)> {
        let pe = unit * self.scale_unit.pes + index;
        (index < self.scale_unit.pes).then_some((pe % self.tile.rows, pe / self.tile.rows))
    }

    /// Chunks in an entry of weight and activation buffer.
    pub fn entry_chunks(&self) -> u32 {
        self.entry_channels / self.pe.lanes
    }

    /// W of a machine whose activations share an exponent.
    pub fn significand_bits(&self) -> Option<u32> {
        self.pe.kind.significand_bits()
    }
}
