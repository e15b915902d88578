//! The analytic model of the BitMoD paper's published simulator (HPCA 2025), reproduced to the cycle and to the rounded
//! microjoule, faults included: every layer takes the longer of its compute and its memory time, and layers add up.
//!
//! It is a record of what was published, not of any machine here. Known faults: scores of a prefill count `heads` times the true
//! multiply-accumulates; a 16-bit cache is computed at the cycles of the linear layers' types; no fill, dequantization or
//! drain; no timing of DRAM; scales and partial sums do not move; no vector unit.
//!
//! The paper's arrays have output channels down and tokens across, the opposite of this project.

pub mod published;

use bitmosaic_arch::{ArchError, SramWidth, Technology};
use bitmosaic_workloads::model::Model;
use bitmosaic_workloads::operation::{LmHead, Operand, Scope, Work, operations};
use bitmosaic_workloads::phase::Step;
use bitmosaic_workloads::routing::Routing;

/// Bits a cycle of its DRAM.
const DRAM_BITS_PER_CYCLE: f64 = 256.0;
/// Its processing elements are charged half as much again for what is around them.
const ENERGY_AROUND: f64 = 1.5;
/// Bits of activations, outputs and cache.
const FP16_BITS: f64 = 16.0;
/// The models of its figures, in the order of its tables.
pub const MODELS: [&str; 6] = ["opt-1.3b", "phi-2", "yi-6b", "llama-2-7b", "llama-2-13b", "llama-3-8b"];

/// A machine of the published simulator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedMachine {
    /// Name on the command line.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Kind of processing element in [`Technology`].
    pub processing_element: &'static str,
    /// Output channels x tokens of the array in a prefill and in a decode.
    shapes: [[u32; 2]; 2],
    /// Input channels of a dot product a cycle.
    dot: u32,
    /// Weights take a cycle for each pair of bits, and buses are half as wide.
    bit_serial: bool,
    /// Bits a weight takes, by model in a prefill and in a decode: the mixes its authors found to be accurate enough.
    bits: [[f64; 6]; 2],
}

/// The machines of the figures.
pub const MACHINES: [PublishedMachine; 5] = [
    PublishedMachine {
        name: "fp16",
        summary: "FP16 multiply-accumulate, the paper's baseline",
        processing_element: "fp16-mac",
        shapes: [[32, 24], [64, 12]],
        dot: 1,
        bit_serial: false,
        bits: [[16.0; 6]; 2],
    },
    PublishedMachine {
        name: "ant",
        summary: "ANT (MICRO 2022): flint and integers of adaptive width",
        processing_element: "ant",
        shapes: [[32, 32], [64, 16]],
        dot: 1,
        bit_serial: false,
        bits: [[5.5; 6], [5.0, 5.0, 5.25, 5.0, 5.0, 4.5]],
    },
    PublishedMachine {
        name: "olive",
        summary: "OliVe (ISCA 2023): outlier-victim pairs",
        processing_element: "olive",
        shapes: [[36, 32], [72, 16]],
        dot: 1,
        bit_serial: false,
        bits: [[4.5; 6], [3.875, 4.0, 4.25, 3.75, 3.75, 3.5]],
    },
    PublishedMachine {
        name: "bitmod-lossless",
        summary: "BitMoD with INT6 weights",
        processing_element: "bit-serial-float",
        shapes: [[32, 32], [64, 16]],
        dot: 4,
        bit_serial: true,
        bits: [[6.0625; 6]; 2],
    },
    PublishedMachine {
        name: "bitmod-lossy",
        summary: "BitMoD with 4-bit weights in prefill, 3-bit in decode",
        processing_element: "bit-serial-float",
        shapes: [[32, 32], [64, 16]],
        dot: 4,
        bit_serial: true,
        bits: [[4.0625; 6], [3.0625; 6]],
    },
];

/// Energy in pJ, unrounded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Energy {
    /// Processing elements.
    pub compute: f64,
    /// Reads of both buffers.
    pub sram_read: f64,
    /// Writes of both buffers.
    pub sram_write: f64,
    /// DRAM.
    pub dram: f64,
}

impl Energy {
    /// All but DRAM.
    pub fn on_chip(self) -> f64 {
        self.compute + self.sram_read + self.sram_write
    }

    /// Everything.
    pub fn total(self) -> f64 {
        self.on_chip() + self.dram
    }
}

/// A layer of the published model, as often as it occurs.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedLayer {
    /// Name.
    pub name: String,
    /// How often it occurs.
    pub count: u64,
    /// Scores or weighted values.
    pub attention: bool,
    /// Cycles of the array, each.
    pub compute_cycles: u64,
    /// Cycles of DRAM, each.
    pub dram_cycles: u64,
    /// Energy, each.
    pub energy: Energy,
}

/// A forward pass of the published model.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedRun {
    /// Layers by kind.
    pub layers: Vec<PublishedLayer>,
}

impl PublishedRun {
    /// All cycles: the longer of compute and DRAM of each layer.
    pub fn cycles(&self) -> u64 {
        self.layers.iter().map(|layer| layer.count * layer.compute_cycles.max(layer.dram_cycles)).sum()
    }

    /// Of them, cycles of scores and weighted values.
    pub fn attention_cycles(&self) -> u64 {
        let layers = self.layers.iter().filter(|layer| layer.attention);
        layers.map(|layer| layer.count * layer.compute_cycles.max(layer.dram_cycles)).sum()
    }

    /// Energy of all layers.
    pub fn energy(&self) -> Energy {
        self.layers.iter().fold(Energy::default(), |sum, layer| {
            let (count, energy) = (layer.count as f64, layer.energy);
            Energy {
                compute: sum.compute + count * energy.compute,
                sram_read: sum.sram_read + count * energy.sram_read,
                sram_write: sum.sram_write + count * energy.sram_write,
                dram: sum.dram + count * energy.dram,
            }
        })
    }
}

/// Sizes of a layer as the published model has them; not always those of a matrix product.
struct Sizes {
    /// Input and output channels of the operand in the place of weights.
    weights: [f64; 2],
    /// Its bits an element in memory.
    bits: f64,
    /// Input channels of the activations.
    input: f64,
    /// Tokens of the outputs.
    tokens: f64,
    attention: bool,
}

/// Runs a published machine on one of [`MODELS`]: a prefill of `context` tokens, or a decode at that context.
///
/// # Errors
/// `Field` for another model, whose bits were not published, for one that is no plain decoder, and for buses outside the
/// technology's table.
pub fn run(
    machine: &PublishedMachine,
    model: &Model,
    prefill: bool,
    context: u32,
    technology: &Technology,
) -> Result<PublishedRun, ArchError> {
    let phase = usize::from(!prefill);
    let refused = |expected: &str| ArchError::Field {
        file: model.name.clone(),
        field: "model".into(),
        found: model.name.clone(),
        expected: expected.into(),
    };
    let known = MODELS.iter().position(|name| *name == model.name);
    let position = known.ok_or_else(|| refused(&format!("bits were published for {}", MODELS.join(", "))))?;
    let attention = model.layer_blocks().next().and_then(|block| block.attention.clone());
    let attention = attention.ok_or_else(|| refused("a decoder with attention"))?;
    let kind = technology.processing_elements.get(machine.processing_element);
    let pe = kind.ok_or_else(|| refused(&format!("a technology with `{}`", machine.processing_element)))?;
    let bits = machine.bits[phase][position];
    let [rows, columns] = machine.shapes[phase].map(f64::from);
    let dot = f64::from(machine.dot);
    let latency = if machine.bit_serial { (bits.floor() / 2.0).ceil() } else { 1.0 };
    // Buses: weights as wide as codes of whole nibbles, inputs FP16; a bit-serial machine needs half of either a cycle.
    let share = if machine.bit_serial { 2.0 } else { 1.0 };
    let sram = technology.sram.as_ref().ok_or_else(|| refused("a technology with `sram`"))?;
    let weight_bus = sram.at((dot * 4.0 * (bits / 4.0).ceil() * rows / share) as u32)?;
    let input_bus = sram.at((dot * FP16_BITS * columns / share) as u32)?;

    let buffer_bytes = sram.bytes as f64;
    let (hidden, heads) = (f64::from(model.hidden), f64::from(attention.heads));
    let (tokens, kv) = (f64::from(context), hidden * f64::from(attention.kv_heads) / heads);
    let step = Step { new: if prefill { context } else { 1 }, context };
    let scope = Scope { batch: 1, lm_head: LmHead::All, routing: Routing::Worst, quantized_cache: false };
    let mut layers = Vec::new();
    let mut push = |name: String, count: u64, sizes: Sizes| {
        let bytes = (sizes.weights[0] * sizes.bits / 8.0).ceil() * sizes.weights[1];
        let inputs = (sizes.input * FP16_BITS / 8.0).ceil() * sizes.tokens;
        let outputs = (sizes.weights[1] * FP16_BITS / 8.0).ceil() * sizes.tokens;
        // What does not fit is fetched again for every buffer of the other operand.
        let (again_inputs, again_weights) = ((bytes / buffer_bytes).ceil(), (inputs / buffer_bytes).ceil());
        let (weight_fetches, input_fetches) = match bytes > buffer_bytes && inputs > buffer_bytes {
            true if again_weights * bytes + inputs < again_inputs * inputs + bytes => (again_weights, 1.0),
            true => (1.0, again_inputs),
            false => (1.0, 1.0),
        };
        let moved = weight_fetches * bytes + input_fetches * inputs + outputs;
        let tiles =
            (sizes.weights[0] / dot).ceil() * (sizes.weights[1] / rows).ceil() * (sizes.tokens / columns).ceil();
        let words = |elements: f64, bits: f64| (elements * bits / 64.0).ceil();
        let word = |bus: SramWidth| bus.write_pj / (f64::from(bus.bits) / 64.0);
        let energy = Energy {
            compute: pe.pj_per_cycle * ENERGY_AROUND * rows * columns * tiles * latency,
            sram_read: tiles * (weight_bus.read_pj + input_bus.read_pj),
            sram_write: words(sizes.weights[0], bits) * sizes.weights[1] * weight_fetches * word(weight_bus)
                + words(sizes.input, FP16_BITS) * sizes.tokens * input_fetches * word(input_bus)
                + words(sizes.weights[1], FP16_BITS) * sizes.tokens * word(input_bus),
            dram: moved * 8.0 * technology.dram_pj_per_bit,
        };
        layers.push(PublishedLayer {
            name,
            count,
            attention: sizes.attention,
            compute_cycles: (tiles * latency) as u64,
            dram_cycles: (moved * 8.0 / DRAM_BITS_PER_CYCLE) as u64,
            energy,
        });
    };
    for operation in operations(model, step, &scope) {
        let Work::Product(product) = operation.work else { continue };
        if product.operand == Operand::Weights {
            let [input, output] = [product.input_channels, product.output_channels].map(f64::from);
            let sizes =
                Sizes { weights: [input, output], bits, input, tokens: product.tokens.into(), attention: false };
            let count = operation.count();
            push(operation.name, count, sizes);
        }
    }
    // Attention once a layer, all heads together, with the sizes that the published model gives it.
    let count = u64::from(model.layer_count());
    let (scores, values) = match prefill {
        true => (([hidden, tokens], heads * tokens), ([tokens, heads * tokens], tokens)),
        false => (([hidden, 1.0], heads), ([tokens, heads], 1.0)),
    };
    for (name, (weights, tokens)) in [("attention.scores", scores), ("attention.values", values)] {
        push(name.to_string(), count, Sizes { weights, bits: FP16_BITS, input: kv, tokens, attention: true });
    }
    Ok(PublishedRun { layers })
}
