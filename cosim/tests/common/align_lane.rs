//! Lane of the aligner against `kernels::datapath::align_group`: every FP16 under every largest exponent it can meet.

use std::collections::VecDeque;

use bitmosaic_arch::Machine;
use bitmosaic_kernels::datapath::align_group;
use bitmosaic_numerics::{f16, fp16};
use bitmosaic_rtl::netlist::Module;

use super::bench;

/// Every FP16 whose exponent is at most the group's, for all exponents 1 to 31.
pub fn check(machine: &Machine, module: &Module) -> Result<(), String> {
    let mut simulator = bench::simulator(module)?;
    let [value_port, exponent_port] = bench::inputs(&simulator, ["fp16_i", "exponent_i"]);
    let [aligned_port] = bench::outputs(&simulator, ["aligned_o"]);
    let w = machine.pe.activation_bits;
    if let Some(advance) = simulator.input("advance_i") {
        simulator.set(advance, 1);
    }
    // Values in the registers, the youngest first, with what they should give.
    let registers = machine.aligner.as_ref().map_or(0, |a| a.lane_registers as usize);
    let mut pipeline: VecDeque<(u16, u64)> = VecDeque::new();
    for exponent in [15, 1, 31].into_iter().chain((2..31).filter(|e| *e != 15)) {
        // A group of all of them, and a filler of the largest exponent.
        let filler = f16::from_bits((exponent as u16) << 10);
        let mut group: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        group.retain(|value| fp16::decode(*value).exponent <= exponent);
        group.push(filler);
        let aligned = align_group(&group, w);
        assert_eq!(aligned.exponent, exponent);
        simulator.set(exponent_port, u64::from(exponent));
        for (value, expected) in group.iter().zip(aligned.values) {
            simulator.set(value_port, u64::from(value.to_bits()));
            pipeline.push_front((value.to_bits(), expected as u64 & (u64::MAX >> (64 - w))));
            simulator.settle();
            let found = simulator.get(&aligned_port);
            if let Some((value, expected)) = pipeline.get(registers)
                && found != *expected
            {
                return Err(format!("W {w}, {value:#06x} at exponent {exponent}: {found:#x}, should be {expected:#x}"));
            }
            pipeline.truncate(registers);
            if registers > 0 {
                simulator.edge();
            }
        }
    }
    Ok(())
}
