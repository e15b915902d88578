//! Waveforms of the netlist simulator: a case's tile, or a whole machine.

use std::fs::File;
use std::io::{self, BufWriter};
use std::ops::Range;
use std::path::Path;

use bitmosaic_mappings::{Accelerator, AxiInputs, AxiOutputs, PortInputs, Signals, Unit, tile_stimulus};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::simulate::{Simulator, VcdWriter};
use bitmosaic_rtl::unit::NetlistUnit;

use crate::array::{ArrayCase, ArrayRun, in_process, no_array};
use crate::engine::{EngineRun, netlist_aligner, step_unit};
use crate::{Case, CosimError, Engine};

/// Runs the case on the netlist simulator and writes the tile's `cycles`, counted from the edge that accepts the first
/// command, to a value change dump.
///
/// # Errors
/// As [`run_engine`](crate::run_engine), and `File`.
pub fn write_vcd(case: &Case, path: &Path, cycles: Range<u64>) -> Result<EngineRun, CosimError> {
    let aligner = netlist_aligner(case)?;
    let stimulus = tile_stimulus(&case.machine, &case.lowered, &aligner.outputs, case.stalls)?;
    let design = &case.units.tile;
    let unit = NetlistUnit::new(design, &stimulus, case.state_seed)?;
    let mut dump = Dump::new(unit.simulator(), design, (path, case.machine.clock_mhz), cycles)?;
    let mut unit = Dumped { unit, dump: &mut dump };
    let tile = step_unit(case, Engine::Netlist, "tile", &mut unit, &stimulus)?;
    dump.finish(path)?;
    Ok(EngineRun { aligner, tile })
}

/// Runs the case of a whole machine on the netlist simulator and writes its `cycles`, counted from the edge that takes the start,
/// to a value change dump.
///
/// # Errors
/// As [`run_array_engine`](crate::array::run_array_engine), and `File`.
pub fn write_array_vcd(case: &ArrayCase, path: &Path, cycles: Range<u64>) -> Result<ArrayRun, CosimError> {
    let design = case.units.array.as_ref().ok_or_else(|| no_array(&case.machine))?;
    let machine = NetlistArray::new(design, case.state_seed)?;
    let mut dump = Dump::new(machine.simulator(), design, (path, case.machine.clock_mhz), cycles)?;
    let run = in_process(case, Engine::Netlist, &mut DumpedArray { machine, dump: &mut dump })?;
    dump.finish(path)?;
    Ok(run)
}

/// Writes the cycles of a range.
struct Dump {
    writer: VcdWriter<BufWriter<File>>,
    cycles: Range<u64>,
    cycle: u64,
    failed: io::Result<()>,
}

impl Dump {
    fn new(
        simulator: &Simulator,
        design: &Design,
        (path, clock_mhz): (&Path, u32),
        cycles: Range<u64>,
    ) -> Result<Dump, CosimError> {
        let out = BufWriter::new(File::create(path).map_err(|error| file_error(path, &error))?);
        let period_ps = 1_000_000 / u64::from(clock_mhz);
        let writer = VcdWriter::new(simulator, &design.top().name, period_ps, out);
        Ok(Dump { writer: writer.map_err(|error| file_error(path, &error))?, cycles, cycle: 0, failed: Ok(()) })
    }

    /// A cycle that has settled.
    fn cycle(&mut self, simulator: &Simulator) {
        if self.failed.is_ok() && self.cycles.contains(&self.cycle) {
            self.failed = self.writer.cycle(simulator, self.cycle);
        }
        self.cycle += 1;
    }

    fn finish(self, path: &Path) -> Result<(), CosimError> {
        self.failed.and_then(|()| self.writer.finish()).map_err(|error| file_error(path, &error))
    }
}

fn file_error(path: &Path, error: &io::Error) -> CosimError {
    CosimError::File { path: path.display().to_string(), reason: error.to_string() }
}

/// A unit that writes each settled cycle. The first command is offered from the first cycle on, so that cycles are counted as
/// in traces.
struct Dumped<'d> {
    unit: NetlistUnit,
    dump: &'d mut Dump,
}

impl Unit for Dumped<'_> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        self.unit.settle(inputs, signals);
        self.dump.cycle(self.unit.simulator());
        self.unit.edge();
    }
}

/// Likewise a whole machine: the writes of its control registers ahead of the start are no cycles.
struct DumpedArray<'d> {
    machine: NetlistArray,
    dump: &'d mut Dump,
}

impl Accelerator for DumpedArray<'_> {
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        self.machine.settle(inputs, outputs);
        self.dump.cycle(self.machine.simulator());
        self.machine.edge();
    }

    fn error(&mut self) -> u32 {
        self.machine.error()
    }
}
