//! The netlist simulator's native code beside its plain form: random machines and programs, every output and register each
//! cycle. The bit-by-bit oracle of both is `rtl/tests/oracle.rs`.

use bitmosaic_cosim::array::{ArrayCase, random_case, run_array_engine};
use bitmosaic_cosim::random::{self, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, run_engine};
use bitmosaic_mappings::{
    Accelerator, AxiInputs, AxiOutputs, PortInputs, Signals, Start, Unit, run_unit, tile_stimulus,
};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::simulate::{COMPILE_AFTER, Probe, Simulator};
use bitmosaic_rtl::unit::{NetlistUnit, RESET_CYCLES};
use bitmosaic_sim::memory::IdealMemory;
use bitmosaic_sim::run::run_array;

const TILES: u64 = 24;
const ARRAYS: u64 = 12;

/// A netlist in both forms.
struct Twin<T> {
    plain: T,
    native: T,
    registers: Vec<(String, Probe)>,
}

impl<T> Twin<T> {
    fn new(plain: T, native: T, simulator: fn(&T) -> &Simulator) -> Twin<T> {
        let registers = simulator(&native).registers().map(|(path, probe, _)| (path, probe)).collect();
        Twin { plain, native, registers }
    }

    fn compare(&self, simulator: fn(&T) -> &Simulator) {
        let [plain, native] = [&self.plain, &self.native].map(simulator);
        assert!(plain.evaluations() <= COMPILE_AFTER, "too long a program: the plain form would compile itself");
        for (path, probe) in &self.registers {
            assert_eq!(native.get_wide(probe), plain.get_wide(probe), "{path}, evaluation {}", plain.evaluations());
        }
        assert_eq!(native.hazards(), plain.hazards());
    }
}

impl Unit for Twin<NetlistUnit> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        self.plain.settle(inputs, signals);
        let expected = signals.clone();
        self.native.settle(inputs, signals);
        assert_eq!(*signals, expected);
        self.compare(NetlistUnit::simulator);
        self.plain.edge();
        self.native.edge();
    }
}

impl Accelerator for Twin<NetlistArray> {
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        self.plain.settle(inputs, outputs);
        let expected = *outputs;
        self.native.settle(inputs, outputs);
        assert_eq!(*outputs, expected);
        self.compare(NetlistArray::simulator);
        self.plain.edge();
        self.native.edge();
    }

    fn error(&mut self) -> u32 {
        self.native.error()
    }
}

#[test]
fn random_tiles_are_the_same_in_native_code() {
    let mut compared = 0;
    for seed in 0..TILES {
        let mut random = Random::new(seed);
        let machine = random::machine(&mut random, 16).unwrap();
        let layers = random::program(&mut random, &machine);
        let case = Case::new(machine, layers, random::stalls(&mut random), seed).unwrap();
        let run = run_engine(&case, Engine::Simulator, &ExternalSettings::default()).unwrap();
        if run.tile.cycles() + u64::from(RESET_CYCLES) > COMPILE_AFTER {
            continue;
        }
        let stimulus = tile_stimulus(&case.machine, &case.lowered, &run.aligner.outputs, case.stalls).unwrap();
        let unit = || NetlistUnit::new(&case.units.tile, &stimulus, seed).unwrap();
        let mut native = unit();
        assert!(native.compile());
        let mut twin = Twin::new(unit(), native, NetlistUnit::simulator);
        assert_eq!(run_unit(&mut twin, &stimulus, case.cycle_limit()).unwrap(), run.tile, "seed {seed}");
        compared += 1;
    }
    assert!(compared > TILES / 2, "{compared} of {TILES} are short enough");
}

fn array(case: &ArrayCase) -> u64 {
    let design = case.units.array.as_ref().unwrap();
    let machine = || NetlistArray::new(design, case.state_seed).unwrap();
    let mut native = machine();
    assert!(native.compile());
    let mut twin = Twin::new(machine(), native, NetlistArray::simulator);
    let data_bits = case.machine.array.as_ref().unwrap().data_bits;
    let mut memory = IdealMemory::new(case.timing, data_bits, case.program.memory.clone());
    let start = Start { address: 0, commands: case.program.program.commands.len() as u32 };
    run_array(&mut twin, &mut memory, start, case.cycle_limit()).unwrap().cycles
}

#[test]
fn random_arrays_are_the_same_in_native_code() {
    let mut compared = 0;
    for seed in 0..ARRAYS {
        let case = random_case(seed).unwrap();
        let run = run_array_engine(&case, Engine::Simulator, &ExternalSettings::default()).unwrap();
        // Ahead of the start the control registers are written.
        if run.trace.cycles + 100 > COMPILE_AFTER {
            continue;
        }
        assert_eq!(array(&case), run.trace.cycles, "seed {seed}");
        compared += 1;
    }
    assert!(compared > ARRAYS / 2, "{compared} of {ARRAYS} are short enough");
}
