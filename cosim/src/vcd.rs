//! The waveform of a case's tile in the netlist simulator.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use bitmosaic_mappings::{PortInputs, Signals, Unit, tile_stimulus};
use bitmosaic_rtl::simulate::VcdWriter;
use bitmosaic_rtl::unit::NetlistUnit;

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
    let file_error =
        |error: io::Error| CosimError::File { path: path.display().to_string(), reason: error.to_string() };
    let period_ps = 1_000_000 / u64::from(case.machine.clock_mhz);
    let out = BufWriter::new(File::create(path).map_err(file_error)?);
    let writer = VcdWriter::new(unit.simulator(), &design.top().name, period_ps, out).map_err(file_error)?;
    let mut unit = Dumped { unit, writer, cycles, cycle: 0, failed: Ok(()) };
    let tile = step_unit(case, Engine::Netlist, "tile", &mut unit, &stimulus)?;
    unit.failed.and_then(|()| unit.writer.finish()).map_err(file_error)?;
    Ok(EngineRun { aligner, tile })
}

/// A unit that writes each settled cycle of a range. The first command is offered from the first cycle on, so that cycles
/// are counted as in traces.
struct Dumped<W: Write> {
    unit: NetlistUnit,
    writer: VcdWriter<W>,
    cycles: Range<u64>,
    cycle: u64,
    failed: io::Result<()>,
}

impl<W: Write> Unit for Dumped<W> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        self.unit.settle(inputs, signals);
        if self.failed.is_ok() && self.cycles.contains(&self.cycle) {
            self.failed = self.writer.cycle(self.unit.simulator(), self.cycle);
        }
        self.cycle += 1;
        self.unit.edge();
    }
}
