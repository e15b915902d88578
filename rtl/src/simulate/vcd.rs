//! Waveforms: the values of a running simulator as a value change dump (IEEE 1364), for GTKWave and its like.

use std::collections::BTreeMap;
use std::io::{self, Write};

use vcd::{IdCode, SimulationCommand, TimescaleUnit, Value, VarType};

use super::{Probe, Simulator};
use crate::netlist::CLOCK;

/// Writes one clock cycle after the other. A scope is an instance, a variable a port or a net with a given name; nets that
/// are one signal share one code. Memories are not in it. A cycle's values stand from the rising edge that begins it to
/// the one that takes them.
pub struct VcdWriter<W: Write> {
    writer: vcd::Writer<W>,
    clock: IdCode,
    variables: Vec<Variable>,
    period_ps: u64,
    /// Cycle written last.
    last: Option<u64>,
}

#[derive(Debug)]
struct Variable {
    code: IdCode,
    probe: Probe,
    /// Value written last.
    value: Vec<u64>,
}

impl<W: Write> VcdWriter<W> {
    /// Writes the header. `top` names the outermost scope, `period_ps` is the clock period in picoseconds.
    ///
    /// # Errors
    /// What `out` says.
    pub fn new(simulator: &Simulator, top: &str, period_ps: u64, out: W) -> io::Result<VcdWriter<W>> {
        let mut writer = vcd::Writer::new(out);
        writer.timescale(1, TimescaleUnit::PS)?;
        writer.add_module(top)?;
        let clock = writer.add_wire(1, CLOCK)?;
        let mut header = Header { simulator, writer: &mut writer, codes: BTreeMap::new() };
        header.scope(0)?;
        let variables = header.codes.into_iter().map(|(probe, code)| Variable { code, probe, value: vec![] }).collect();
        writer.upscope()?;
        writer.enddefinitions()?;
        Ok(VcdWriter { writer, clock, variables, period_ps, last: None })
    }

    /// Writes a cycle that has settled, before its closing edge; cycles ascend. The first one is written whole, of the
    /// others what changed.
    ///
    /// # Errors
    /// What the underlying writer says.
    pub fn cycle(&mut self, simulator: &Simulator, cycle: u64) -> io::Result<()> {
        self.writer.timestamp(cycle * self.period_ps)?;
        let first = self.last.is_none();
        if first {
            self.writer.begin(SimulationCommand::Dumpvars)?;
        }
        self.writer.change_scalar(self.clock, true)?;
        for variable in &mut self.variables {
            let value = simulator.get_wide(&variable.probe);
            if value == variable.value {
                continue;
            }
            let bit = |at: u32| Value::from(value[at as usize / 64] >> (at % 64) & 1 == 1);
            match variable.probe.width() {
                1 => self.writer.change_scalar(variable.code, bit(0))?,
                width => self.writer.change_vector(variable.code, (0..width).rev().map(bit))?,
            }
            variable.value = value;
        }
        if first {
            self.writer.end()?;
        }
        self.writer.timestamp(cycle * self.period_ps + self.period_ps / 2)?;
        self.writer.change_scalar(self.clock, false)?;
        self.last = Some(cycle);
        Ok(())
    }

    /// Writes the end of the last cycle and flushes.
    ///
    /// # Errors
    /// What the underlying writer says.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(last) = self.last {
            self.writer.timestamp((last + 1) * self.period_ps)?;
        }
        self.writer.flush()
    }
}

struct Header<'a, W: Write> {
    simulator: &'a Simulator,
    writer: &'a mut vcd::Writer<W>,
    codes: BTreeMap<Probe, IdCode>,
}

impl<W: Write> Header<'_, W> {
    /// Variables of a scope, then its instances.
    fn scope(&mut self, index: usize) -> io::Result<()> {
        let simulator = self.simulator;
        let scope = &simulator.flat.scopes[index];
        for (name, net) in &scope.shown {
            let Some(probe) = simulator.reading(*net) else { continue };
            match self.codes.get(&probe) {
                Some(code) => self.writer.var_def(VarType::Wire, probe.width(), *code, name, None)?,
                None => {
                    let code = self.writer.add_wire(probe.width(), name)?;
                    self.codes.insert(probe, code);
                }
            }
        }
        for (name, child) in &scope.children {
            self.writer.add_module(name)?;
            self.scope(*child)?;
            self.writer.upscope()?;
        }
        Ok(())
    }
}
