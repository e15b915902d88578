//! The events that energy is charged for, counted from the program alone: as many as the netlist's memories see and the step
//! engine's traces hold.

use bitmosaic_arch::{MemoryKind, TermOrder};
use bitmosaic_cosim::array::{ArrayCase, random_case, standard_array_cases};
use bitmosaic_mappings::{Accelerator, Accesses, AxiInputs, AxiOutputs, Events, Start};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::simulate::Probe;
use bitmosaic_sim::memory::IdealMemory;
use bitmosaic_sim::run::{ArrayTrace, run_array};
use bitmosaic_sim::step::ArrayStep;
use rayon::prelude::*;

/// Random machines, each with a program of its own.
const MACHINES: u64 = 24;

/// The netlist with a count of what its memories do.
struct Observed {
    netlist: NetlistArray,
    /// By kind: whether a bank is read, whether it is written.
    banks: Vec<(MemoryKind, Probe, Probe)>,
    capture: Probe,
    events: Events,
    captures: u64,
}

/// The kind of a memory by its place in the hardware.
fn kind(path: &str) -> MemoryKind {
    let kinds = [
        ("u_weight_buffer.weight_", MemoryKind::WeightCodes),
        ("u_weight_buffer.record_", MemoryKind::Records),
        ("u_weight_buffer.channel_", MemoryKind::ChannelScales),
        ("u_activation_buffer.activation_", MemoryKind::Activations),
        ("u_activation_buffer.exponent_", MemoryKind::Exponents),
        (".accumulators", MemoryKind::Accumulators),
        ("u_output_", MemoryKind::Outputs),
        ("u_aligner.group", MemoryKind::AlignerGroup),
    ];
    kinds.into_iter().find(|(place, _)| path.contains(place)).unwrap_or_else(|| panic!("no kind: {path}")).1
}

impl Observed {
    fn new(case: &ArrayCase) -> Observed {
        let netlist = NetlistArray::new(case.units.array.as_ref().unwrap(), case.state_seed).unwrap();
        let simulator = netlist.simulator();
        let banks: Vec<_> = simulator.memories().map(|(path, read, write)| (kind(&path), read, write)).collect();
        for of in MemoryKind::ALL {
            let found = banks.iter().filter(|(kind, _, _)| *kind == of).count();
            assert_eq!(found as u32, case.machine.bank_count(of), "{of:?} of {}", case.machine.name);
        }
        let capture = simulator.probe("u_core.u_compute.u_grid.u_tile_0_0.u_control.capture_o").unwrap();
        Observed { netlist, banks, capture, events: Events::default(), captures: 0 }
    }
}

impl Accelerator for Observed {
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        self.netlist.settle(inputs, outputs);
        let simulator = self.netlist.simulator();
        for (kind, read, write) in &self.banks {
            let Accesses { reads, writes } = &mut self.events.memories[*kind as usize];
            *reads += simulator.get(read);
            *writes += simulator.get(write);
        }
        self.captures += simulator.get(&self.capture);
        self.netlist.edge();
    }

    fn error(&mut self) -> u32 {
        self.netlist.error()
    }
}

fn run(case: &ArrayCase, machine: &mut dyn Accelerator) -> ArrayTrace {
    let data_bits = case.machine.array.as_ref().unwrap().data_bits;
    let mut memory = IdealMemory::new(case.timing, data_bits, case.program.memory.clone());
    let start = Start { address: 0, commands: case.program.program.commands.len() as u32 };
    run_array(machine, &mut memory, start, case.cycle_limit()).unwrap()
}

fn check(case: &ArrayCase) {
    let machine = &case.machine;
    let counted = case.program.program.events(machine);
    let mut observed = Observed::new(case);
    run(case, &mut observed);
    let name = format!("{} {}", machine.name, case.state_seed);
    for kind in MemoryKind::ALL {
        assert_eq!(counted.accesses(kind), observed.events.accesses(kind), "{kind:?} of {name}");
    }
    assert_eq!(counted.slots, observed.captures * u64::from(machine.scale_unit.slots), "slots of {name}");
    let trace = run(case, &mut ArrayStep::new(machine).unwrap());
    let array = machine.array.as_ref().unwrap();
    let beat_bytes = u64::from(array.beat_bytes());
    assert_eq!(counted.steps, trace.status_cycles[0], "steps of {name}");
    assert_eq!(counted.read_beats * beat_bytes, trace.bytes_read(array.beat_bytes()), "beats read of {name}");
    assert_eq!(counted.written_beats, trace.beats.len() as u64, "beats written of {name}");
    assert_eq!(counted.aligned_beats, observed.events.accesses(MemoryKind::AlignerGroup).writes, "{name}");
    // A beat of the output stages is a value of every unit.
    let values = u64::from(machine.scale_unit.units * array.tiles());
    assert_eq!(counted.output_beats * values, observed.events.accesses(MemoryKind::Outputs).writes, "{name}");
}

#[test]
fn counted_events_are_those_of_the_hardware() {
    let cases: Vec<ArrayCase> = (0..MACHINES).map(|seed| random_case(seed).unwrap()).collect();
    let plane_major = |case: &ArrayCase| case.machine.pe.order == TermOrder::PlaneMajor;
    assert!(cases.iter().any(plane_major) && cases.iter().any(|case| case.machine.aligner.is_none()));
    cases.par_iter().for_each(check);
}

#[test]
fn counted_events_of_the_designs() {
    for design in ["mosaic-small", "bitmod-small", "mosaic-ecp5"] {
        let machine = bitmosaic_arch::load(design).unwrap();
        for (_, case) in standard_array_cases(&machine, 1).unwrap().into_iter().take(2) {
            check(&case);
        }
    }
}
