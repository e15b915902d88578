//! The registers of every way through the netlist are those that the `Machine` states.

mod common;

use bitmosaic_arch::{Aligner, Machine, load, presets};
use bitmosaic_cosim::random::{self, Random};
use bitmosaic_rtl::hardware::{Units, build};
use common::paths::{Paths, Registers};
use rayon::prelude::*;

type Change = fn(&mut Machine);

/// Ways whose registers differ from what the machine says.
fn differences(machine: &Machine, units: &Units) -> Vec<String> {
    let mut check = Check { paths: Paths::new(&units.tile), differences: Vec::new() };
    processing_elements(machine, &mut check);
    accumulator_rings(machine, &mut check);
    // The hold registers of `bit-serial-float` are loops: they double as they multiply.
    if machine.scale_unit.dequantize_cycles == 0 {
        drain(machine, &mut check);
    }
    if let (Some(widths), Some(design)) = (&machine.aligner, &units.aligner) {
        check.paths = Paths::new(design);
        aligner(widths, &mut check);
    }
    check.differences
}

struct Check {
    paths: Paths,
    differences: Vec<String>,
}

impl Check {
    /// Every way from one net to the other has this number of registers.
    fn exactly(&mut self, from: &str, to: &str, without: &[String], count: u32) {
        let found = self.paths.registers(from, to, without);
        if found != Some(Registers::exactly(count)) {
            self.differences.push(format!("{from} to {to}: {found:?}, the machine says {count}"));
        }
    }
}

fn pes(machine: &Machine) -> impl Iterator<Item = (u32, u32, String)> {
    let units = 0..machine.scale_unit.units;
    let slots = move |unit| (0..machine.scale_unit.pes).map(move |slot| (unit, slot));
    units.flat_map(slots).map(|(unit, slot)| {
        let (row, column) = machine.pe_of_unit(unit, slot).unwrap();
        (unit, slot, format!("u_pe_{row}_{column}"))
    })
}

/// From the operand streams to the accumulators: the operand register, the PE pipeline, the accumulator. The flags of a step
/// arrive with it.
fn processing_elements(machine: &Machine, check: &mut Check) {
    let pipeline = machine.pe.pipeline_registers;
    for (_, _, pe) in pes(machine) {
        let accumulator = format!("{pe}.accumulator_q");
        // A floating accumulator's exponent comes back to it as the accumulator itself does.
        let loops: Vec<String> =
            machine.aligner.is_none().then(|| format!("{pe}.accumulator_exponent_q")).into_iter().collect();
        check.exactly("weight_data_i", &accumulator, &loops, 1 + pipeline + 1);
        check.exactly("activation_data_i", &accumulator, &loops, 1 + pipeline + 1);
        check.exactly("u_control.operand_group_first_q", &accumulator, &loops, pipeline + 1);
    }
}

/// From the hold registers, slot by slot, and from the metadata of a group to the output register; the flags that say when
/// it holds an output.
fn drain(machine: &Machine, check: &mut Check) {
    let latency = machine.scale_unit.output_latency_cycles;
    let rings: Vec<String> = (0..machine.scale_unit.units).flat_map(|unit| ring(machine, unit)).collect();
    for (unit, slot, pe) in pes(machine) {
        let output = format!("u_output_{unit}.output_q");
        check.exactly(&format!("{pe}.hold_q"), &output, &rings, slot + latency);
    }
    for unit in 0..machine.scale_unit.units {
        let output = format!("u_output_{unit}.output_q");
        let shared = machine.pe.kind.float().is_none().then_some("exponent_q");
        for metadata in ["scale_q", "channel_q", "non_finite_q"].into_iter().chain(shared) {
            check.exactly(&format!("u_drain.{metadata}"), &output, &rings, latency);
        }
        let (row, column) = machine.pe_of_unit(unit, 0).unwrap();
        let accumulator = format!("u_scale_{unit}.accumulator_d");
        let stages = machine.scale_unit.decode_cycles + machine.scale_unit.write_stage();
        check.exactly(&format!("u_pe_{row}_{column}.hold_q"), &accumulator, &rings, stages);
        check.exactly("u_drain.first_group_q", &accumulator, &rings, stages);
    }
    check.exactly("u_drain.output_d", "u_drain.output_valid_q", &["u_drain.finish_d".to_string()], latency);
    check.exactly("u_drain.finish_d", "u_drain.output_last_q", &[], latency);
}

fn ring(machine: &Machine, unit: u32) -> impl Iterator<Item = String> {
    let rotating = if machine.scale_unit.accumulator_blocks > 1 { 0 } else { machine.scale_unit.ring_entries() };
    let memory = (rotating == 0).then(|| format!("u_scale_{unit}.accumulators_rdata"));
    (0..rotating).map(move |slot| format!("u_scale_{unit}.accumulator_{slot}_q")).chain(memory)
}

/// From a binary32 accumulator to its new value, and around the ring: a slot a cycle. Or around the memory, in which a value is
/// written and read: before the slot comes again.
fn accumulator_rings(machine: &Machine, check: &mut Check) {
    let slots = machine.scale_unit.ring_entries();
    for unit in 0..machine.scale_unit.units {
        let around = check.paths.shortest_loop(&format!("u_scale_{unit}.total_q"));
        if machine.scale_unit.accumulator_blocks > 1 {
            if around != Some(machine.scale_unit.loop_cycles + 1) || around.is_some_and(|around| slots < around) {
                check.differences.push(format!("memory of unit {unit}: {around:?} registers of {slots} slots"));
            }
            continue;
        }
        let accumulators: Vec<String> = ring(machine, unit).collect();
        let (head, tail) = (&accumulators[0], &accumulators[slots as usize - 1]);
        check.exactly(head, tail, &[], machine.scale_unit.loop_cycles);
        if around != Some(slots) || slots < machine.scale_unit.loop_cycles {
            check.differences.push(format!("ring of unit {unit}: {around:?} registers, the machine says {slots}"));
        }
    }
}

/// From the activations through the memory, and from the end of a group through its flags, to the output register.
fn aligner(widths: &Aligner, check: &mut Check) {
    let latency = widths.latency_cycles;
    let so_far = ["exponent_q", "non_finite_q"].map(String::from);
    check.exactly("fp16_data_i", "output_data_q", &so_far, latency);
    let memory = check.paths.registers("fp16_data_i", "group_rdata", &[]);
    let read = widths.input_registers + 2;
    assert_eq!(memory, Some(Registers::exactly(read)), "a memory counts as written and read");
    let flags = check.paths.registers("group_ends", "output_valid_q", &[]).map(|r| r.least);
    if flags != Some(latency) {
        check.differences.push(format!("group_ends to output_valid_q: {flags:?}, the machine says {latency}"));
    }
}

fn machines() -> Vec<Machine> {
    let presets = presets().iter().map(|preset| load(preset.name).unwrap());
    presets.chain((0..24).map(|seed| random::machine(&mut Random::new(seed), 24).unwrap())).collect()
}

#[test]
fn registers_are_those_of_the_machine() {
    machines().par_iter().for_each(|machine| {
        let differences = differences(machine, &build(machine).unwrap());
        assert!(differences.is_empty(), "{:?} {:?}: {differences:#?}", machine.tile, machine.pe);
    });
}

#[test]
fn a_machine_with_other_latencies_is_told_apart() {
    let changes: [(&str, Change); 9] = [
        ("pipeline registers", |m| m.pe.pipeline_registers += 1),
        ("pipeline registers", |m| m.pe.pipeline_registers = m.pe.pipeline_registers.wrapping_sub(1)),
        ("output latency", |m| m.scale_unit.output_latency_cycles += 1),
        ("output latency", |m| m.scale_unit.output_latency_cycles -= 1),
        ("accumulator loop", |m| m.scale_unit.loop_cycles += 1),
        ("accumulator loop", |m| m.scale_unit.loop_cycles -= 1),
        ("slots", |m| m.scale_unit.slots -= 1),
        ("aligner", |m| m.aligner.iter_mut().for_each(|a| a.latency_cycles += 1)),
        ("aligner", |m| m.aligner.iter_mut().for_each(|a| a.latency_cycles -= 1)),
    ];
    let sound = load("mosaic-tile").unwrap();
    let units = build(&sound).unwrap();
    let around = Paths::new(&units.tile).registers("u_pe_0_0.hold_q", "u_output_0.output_q", &[]).unwrap();
    assert_eq!(around.most, None, "through the accumulators there is a loop");
    for (name, change) in changes {
        let mut machine = sound.clone();
        change(&mut machine);
        assert!(!differences(&machine, &units).is_empty(), "{name}");
    }
    // The hardware of a machine that states a latency its data path does not have.
    for latency in [5, 7] {
        let mut machine = sound.clone();
        machine.scale_unit.output_latency_cycles = latency;
        assert!(!differences(&machine, &build(&machine).unwrap()).is_empty(), "output latency {latency}");
    }
}
