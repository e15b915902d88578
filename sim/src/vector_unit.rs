//! The vector unit: elementwise work between products, timed by passes over its lanes and by the bytes it moves.
//!
//! It reads its operands from memory and writes its results there, as products do. There is no hardware of it yet
//! (DEVIATIONS.md), so nothing is measured against it.

use bitmosaic_workloads::operation::{Function, Vector};

use crate::memory::MemoryTiming;

/// Time and traffic of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VectorTiming {
    /// All cycles: the longer of both.
    pub cycles: u64,
    /// Cycles of the lanes.
    pub compute_cycles: u64,
    /// Elementwise operations: elements times passes.
    pub operations: u64,
    /// Bytes from memory.
    pub bytes_read: u64,
    /// Bytes to memory.
    pub bytes_written: u64,
}

/// FP16 operands that a function reads an element, results that it writes, and passes over the lanes.
fn cost(function: Function) -> (u64, u64, u64) {
    match function {
        // A row is fetched and stored.
        Function::Embedding => (1, 1, 1),
        // Statistics, then scaling.
        Function::Norm => (1, 1, 2),
        Function::Rotary | Function::Activation(_) => (1, 1, 1),
        // Maximum, sum of exponentials, division.
        Function::Softmax => (1, 1, 3),
        Function::Multiply | Function::Add => (2, 1, 1),
        // Largest magnitude, then codes; what is written is in the cache's type.
        Function::QuantizeCache => (1, 0, 2),
        // Multiply-adds on what is there.
        Function::Convolution | Function::StateSpace => (0, 0, 1),
    }
}

/// Times an operation on `lanes` elements a cycle. `cache_bits` are the bits of an element of the cache.
pub fn time(vector: Vector, lanes: u32, timing: MemoryTiming, cache_bits: f64) -> VectorTiming {
    let (reads, writes, passes) = cost(vector.function);
    let operations = vector.elements * passes;
    let compute_cycles = operations.div_ceil(u64::from(lanes.max(1)));
    let bytes_read = 2 * reads * vector.elements;
    let bytes_written = match vector.function {
        Function::QuantizeCache => (vector.elements as f64 * cache_bits / 8.0).ceil() as u64,
        _ => 2 * writes * vector.elements,
    };
    let moving = (bytes_read + bytes_written).div_ceil(u64::from(timing.bytes_per_cycle.max(1)));
    let latency = if bytes_read + bytes_written > 0 { u64::from(timing.latency) } else { 0 };
    VectorTiming { cycles: compute_cycles.max(moving) + latency, compute_cycles, operations, bytes_read, bytes_written }
}
