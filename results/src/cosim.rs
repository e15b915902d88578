use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cycles of each engine; null where it was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EngineCycles {
    /// Event-driven simulator.
    pub simulator: Option<u64>,
    /// Netlist simulator.
    pub netlist: Option<u64>,
    /// Exported Verilog in Verilator.
    pub verilator: Option<u64>,
    /// Exported Verilog in Icarus Verilog.
    pub icarus: Option<u64>,
}

/// One output that differs from the simulator's, or one beat that comes in another cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mismatch {
    /// Engine that differs from the simulator.
    pub engine: String,
    /// Output channel.
    pub output_channel: u64,
    /// Token.
    pub token: u64,
    /// Cycle of the beat in the differing engine; null if it has no such beat.
    pub cycle: Option<u64>,
    /// FP16 bits, hexadecimal, and cycle in the simulator.
    pub expected: String,
    /// FP16 bits, hexadecimal, and cycle in the differing engine.
    pub found: String,
}

/// One program on several engines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CosimResult {
    /// Outputs of the program, padding excluded.
    pub outputs: u64,
    /// Output bits that differ from the simulator's, summed over the engines.
    pub mismatched_bits: u64,
    /// Output beats, retirements, status counters and aligner beats whose cycle (or count) differs, summed over the engines; of
    /// a whole machine also bursts at the memory port.
    pub mismatched_cycles: u64,
    /// Total cycles of each engine.
    pub cycles: EngineCycles,
    /// Cycles of the aligner, which runs ahead of the tile.
    pub aligner_cycles: EngineCycles,
    /// The first 16 differences.
    pub mismatches: Vec<Mismatch>,
    /// Where the first difference arises: cycle, module, net; empty without difference.
    pub localization: Vec<String>,
    /// File that `cosim --replay` takes to show the difference again; null without difference.
    pub replay: Option<String>,
}
