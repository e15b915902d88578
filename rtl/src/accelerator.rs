//! A whole machine's netlist behind the interface that every engine has.

use bitmosaic_mappings::{Accelerator, AxiInputs, AxiOutputs, BEAT_WORDS, Beat, Burst, Reader, WriteBeat};

use crate::netlist::{Design, NetlistError, Problem, RESET};
use crate::simulate::{Port, Probe, Simulator};
use crate::unit::RESET_CYCLES;

/// The netlist simulator of a machine's `core`, reset and ready to start.
#[derive(Debug)]
pub struct NetlistArray {
    simulator: Simulator,
    start: [Port; 3],
    read_address_ready: Port,
    read: [Port; 5],
    write_address_ready: Port,
    write_ready: Port,
    response: [Port; 2],
    read_address: [Probe; 4],
    read_ready: Probe,
    write_address: [Probe; 3],
    write: [Probe; 4],
    retire: Probe,
    status: Probe,
    done: Probe,
    error: Probe,
}

impl NetlistArray {
    /// Simulator of `design`. State without reset starts from bits of `seed`.
    ///
    /// # Errors
    /// A netlist that breaks a rule (after a fault was planted), or a port that is not there.
    pub fn new(design: &Design, seed: u64) -> Result<NetlistArray, NetlistError> {
        let simulator = Simulator::new(design, seed)?;
        let missing = |port: &str| {
            let of = design.top().name.clone();
            let problem = Problem::UnknownPort {
                instance: of.clone(),
                of: of.clone(),
                port: port.into(),
                direction: "top-level",
            };
            NetlistError { module: of, problem }
        };
        let input = |name: &str| simulator.input(name).ok_or_else(|| missing(name));
        let output = |name: &str| simulator.output(name).ok_or_else(|| missing(name));
        let machine = NetlistArray {
            start: [input("start_i")?, input("program_address_i")?, input("program_commands_i")?],
            read_address_ready: input("ar_ready_i")?,
            read: [input("r_valid_i")?, input("r_data_i")?, input("r_id_i")?, input("r_last_i")?, input("r_error_i")?],
            write_address_ready: input("aw_ready_i")?,
            write_ready: input("w_ready_i")?,
            response: [input("b_valid_i")?, input("b_error_i")?],
            read_address: [output("ar_valid_o")?, output("ar_address_o")?, output("ar_beats_o")?, output("ar_id_o")?],
            read_ready: output("r_ready_o")?,
            write_address: [output("aw_valid_o")?, output("aw_address_o")?, output("aw_beats_o")?],
            write: [output("w_valid_o")?, output("w_data_o")?, output("w_strobe_o")?, output("w_last_o")?],
            retire: output("retire_o")?,
            status: output("status_o")?,
            done: output("done_o")?,
            error: output("error_o")?,
            simulator,
        };
        Ok(machine.reset())
    }

    fn reset(mut self) -> NetlistArray {
        if let Some(reset) = self.simulator.input(RESET) {
            self.simulator.set(reset, 1);
            for _ in 0..RESET_CYCLES {
                self.simulator.settle();
                self.simulator.edge();
            }
            self.simulator.set(reset, 0);
        }
        self
    }

    /// The simulator, to look at nets after a cycle's logic has settled.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Sets the inputs of a cycle and settles; the edge is the caller's.
    pub fn settle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        let s = &mut self.simulator;
        s.set(self.start[0], u64::from(inputs.start.is_some()));
        s.set(self.start[1], inputs.start.map_or(0, |start| start.address));
        s.set(self.start[2], inputs.start.map_or(0, |start| u64::from(start.commands)));
        s.set(self.read_address_ready, u64::from(inputs.read_address_ready));
        s.set(self.read[0], u64::from(inputs.read.is_some()));
        if let Some(beat) = &inputs.read {
            s.set_wide(self.read[1], &beat.data);
            s.set(self.read[2], u64::from(beat.reader == Reader::Load));
            s.set(self.read[3], u64::from(beat.last));
            s.set(self.read[4], u64::from(beat.error));
        }
        s.set(self.write_address_ready, u64::from(inputs.write_address_ready));
        s.set(self.write_ready, u64::from(inputs.write_ready));
        s.set(self.response[0], u64::from(inputs.response.is_some()));
        s.set(self.response[1], u64::from(inputs.response == Some(true)));
        s.settle();
        let get = |probe: &Probe| s.get(probe);
        let reader = if get(&self.read_address[3]) == 1 { Reader::Load } else { Reader::Fetch };
        let burst = |address: &Probe, beats: &Probe| Burst { address: get(address), beats: get(beats) as u32 };
        outputs.read_address =
            (get(&self.read_address[0]) == 1).then(|| (reader, burst(&self.read_address[1], &self.read_address[2])));
        outputs.read_ready = get(&self.read_ready) == 1;
        outputs.write_address =
            (get(&self.write_address[0]) == 1).then(|| burst(&self.write_address[1], &self.write_address[2]));
        outputs.write = (get(&self.write[0]) == 1).then(|| {
            let mut data = [0; BEAT_WORDS];
            for (word, value) in data.iter_mut().zip(s.get_wide(&self.write[1])) {
                *word = value;
            }
            let data: Beat = data;
            WriteBeat { data, strobes: get(&self.write[2]) as u32, last: get(&self.write[3]) == 1 }
        });
        outputs.retire = get(&self.retire) as u32;
        outputs.status = get(&self.status) as u32;
        outputs.done = get(&self.done) == 1;
        outputs.error = get(&self.error) as u32;
    }

    /// The clock edge.
    pub fn edge(&mut self) {
        self.simulator.edge();
    }
}

impl Accelerator for NetlistArray {
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        self.settle(inputs, outputs);
        self.edge();
    }
}
