//! A unit's netlist behind the interface that every engine has.

use bitmosaic_mappings::{PortInputs, Signals, Unit, UnitStimulus};

use crate::netlist::{Design, NetlistError, Problem, RESET};
use crate::simulate::{Port, Probe, Simulator};

/// The netlist simulator of a unit, reset and ready for the first command.
#[derive(Debug)]
pub struct NetlistUnit {
    simulator: Simulator,
    /// valid and data of each input stream.
    inputs: Vec<(Port, Port)>,
    readies: Vec<Probe>,
    output_ready: Port,
    output_valid: Probe,
    output_data: Probe,
    retire: Probe,
    status: Vec<Probe>,
}

/// Cycles of reset before the first command, also in the testbench.
pub const RESET_CYCLES: u32 = 4;

impl NetlistUnit {
    /// Simulator of `design`, a unit with the streams of `stimulus`. State without reset starts from bits of `seed`.
    ///
    /// # Errors
    /// A netlist that breaks a rule (after a fault was planted), or a port that is not there.
    pub fn new(design: &Design, stimulus: &UnitStimulus, seed: u64) -> Result<NetlistUnit, NetlistError> {
        let mut simulator = Simulator::new(design, seed)?;
        let input = |s: &Simulator, name: String| s.input(&name).ok_or_else(|| no_port(design, name));
        let output = |s: &Simulator, name: String| s.output(&name).ok_or_else(|| no_port(design, name));
        let mut inputs = Vec::new();
        let mut readies = Vec::new();
        for (name, _, _) in &stimulus.inputs {
            let valid = input(&simulator, format!("{name}_valid_i"))?;
            inputs.push((valid, input(&simulator, format!("{name}_data_i"))?));
            readies.push(output(&simulator, format!("{name}_ready_o"))?);
        }
        let status = stimulus.status.iter().map(|name| output(&simulator, format!("{name}_o")));
        let status = status.collect::<Result<_, _>>()?;
        let output_ready = input(&simulator, "output_ready_i".to_string())?;
        let output_valid = output(&simulator, "output_valid_o".to_string())?;
        let output_data = output(&simulator, "output_data_o".to_string())?;
        let retire = output(&simulator, "retire_o".to_string())?;
        if let Some(reset) = simulator.input(RESET) {
            simulator.set(reset, 1);
            for _ in 0..RESET_CYCLES {
                simulator.settle();
                simulator.edge();
            }
            simulator.set(reset, 0);
        }
        Ok(NetlistUnit { simulator, inputs, readies, output_ready, output_valid, output_data, retire, status })
    }

    /// The simulator, to look at nets after a cycle's logic has settled (inside `run_unit_observed`).
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Compiles the simulator now: [`Simulator::compile`].
    pub fn compile(&mut self) -> bool {
        self.simulator.compile()
    }

    /// Sets the inputs of a cycle and settles; the edge is the caller's.
    pub fn settle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        for (i, (valid, data)) in self.inputs.iter().enumerate() {
            self.simulator.set(*valid, u64::from(inputs.valid >> i & 1));
            self.simulator.set_wide(*data, inputs.data[i]);
        }
        self.simulator.set(self.output_ready, u64::from(inputs.output_ready));
        self.simulator.settle();
        let get = |probe: &Probe| self.simulator.get(probe);
        let mask = |probes: &[Probe]| probes.iter().rev().fold(0, |bits, p| bits << 1 | get(p) as u32);
        signals.ready = mask(&self.readies);
        signals.status = mask(&self.status);
        signals.retire = get(&self.retire) == 1;
        signals.output_valid = get(&self.output_valid) == 1;
        signals.output.clear();
        if signals.output_valid {
            signals.output.extend(self.simulator.get_wide(&self.output_data));
        }
    }

    /// The clock edge.
    pub fn edge(&mut self) {
        self.simulator.edge();
    }
}

impl Unit for NetlistUnit {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        self.settle(inputs, signals);
        self.edge();
    }
}

fn no_port(design: &Design, port: String) -> NetlistError {
    let of = design.top().name.clone();
    let problem = Problem::UnknownPort { instance: of.clone(), of: of.clone(), port, direction: "top-level" };
    NetlistError { module: of, problem }
}
