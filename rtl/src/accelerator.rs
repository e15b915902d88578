//! A whole machine's netlist behind the interface that every engine has.

use bitmosaic_mappings::{Accelerator, AxiInputs, AxiOutputs, BEAT_WORDS, Beat, Burst, Reader, WriteBeat};

use crate::hardware::array::{control_registers, counters};
use crate::netlist::{Design, NetlistError, Problem, RESET};
use crate::simulate::{Port, Probe, Simulator};
use crate::unit::RESET_CYCLES;

/// The netlist simulator of a machine's `accelerator`, reset and ready to start. Its control port is driven as a host does.
#[derive(Debug)]
pub struct NetlistArray {
    simulator: Simulator,
    control: Control,
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
    interrupt: Probe,
}

/// The control port.
#[derive(Debug)]
struct Control {
    aw_address: Port,
    aw_valid: Port,
    w_data: Port,
    w_strobe: Port,
    w_valid: Port,
    b_ready: Port,
    ar_address: Port,
    ar_valid: Port,
    r_ready: Port,
    r_data: Probe,
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
        let input = |name: &str| {
            let name = format!("{name}_i");
            simulator.input(&name).ok_or_else(|| missing(&name))
        };
        let output = |name: &str| {
            let name = format!("{name}_o");
            simulator.output(&name).ok_or_else(|| missing(&name))
        };
        let lite = |name: &str| input(&format!("s_axi_control_{name}"));
        let memory = |name: &str| input(&format!("m_axi_{name}"));
        let seen = |name: &str| output(&format!("m_axi_{name}"));
        let mut machine = NetlistArray {
            control: Control {
                aw_address: lite("awaddr")?,
                aw_valid: lite("awvalid")?,
                w_data: lite("wdata")?,
                w_strobe: lite("wstrb")?,
                w_valid: lite("wvalid")?,
                b_ready: lite("bready")?,
                ar_address: lite("araddr")?,
                ar_valid: lite("arvalid")?,
                r_ready: lite("rready")?,
                r_data: output("s_axi_control_rdata")?,
            },
            read_address_ready: memory("arready")?,
            read: [memory("rvalid")?, memory("rdata")?, memory("rid")?, memory("rlast")?, memory("rresp")?],
            write_address_ready: memory("awready")?,
            write_ready: memory("wready")?,
            response: [memory("bvalid")?, memory("bresp")?],
            read_address: [seen("arvalid")?, seen("araddr")?, seen("arlen")?, seen("arid")?],
            read_ready: seen("rready")?,
            write_address: [seen("awvalid")?, seen("awaddr")?, seen("awlen")?],
            write: [seen("wvalid")?, seen("wdata")?, seen("wstrb")?, seen("wlast")?],
            retire: output("retire")?,
            status: output("status")?,
            interrupt: output("irq")?,
            simulator,
        };
        machine.reset();
        Ok(machine)
    }

    fn reset(&mut self) {
        let Some(reset) = self.simulator.input(RESET) else { return };
        self.simulator.set(reset, 1);
        for _ in 0..RESET_CYCLES {
            self.step();
        }
        self.simulator.set(reset, 0);
        self.simulator.set(self.control.w_strobe, 15);
        self.simulator.set(self.control.b_ready, 1);
        self.simulator.set(self.control.r_ready, 1);
        self.write_register(register("interrupt_enable"), 1);
    }

    fn step(&mut self) {
        self.simulator.settle();
        self.simulator.edge();
    }

    /// Offers a write to the control port and takes its edge; the write happens at the next one.
    fn offer_write(&mut self, address: u32, value: u32) {
        let s = &mut self.simulator;
        s.set(self.control.aw_address, u64::from(address));
        s.set(self.control.w_data, u64::from(value));
        s.set(self.control.aw_valid, 1);
        s.set(self.control.w_valid, 1);
        self.step();
        self.simulator.set(self.control.aw_valid, 0);
        self.simulator.set(self.control.w_valid, 0);
    }

    /// Writes a register while no program runs.
    pub fn write_register(&mut self, address: u32, value: u32) {
        self.offer_write(address, value);
        // The write, and its response.
        self.step();
        self.step();
    }

    /// Reads a register while no program runs.
    pub fn read_register(&mut self, address: u32) -> u32 {
        self.simulator.set(self.control.ar_address, u64::from(address));
        self.simulator.set(self.control.ar_valid, 1);
        self.step();
        self.simulator.set(self.control.ar_valid, 0);
        self.step();
        self.simulator.settle();
        let value = self.simulator.get(&self.control.r_data) as u32;
        self.simulator.edge();
        value
    }

    /// Reads the counters of the last program, in the order of `counters()`.
    pub fn read_counters(&mut self) -> Vec<u64> {
        let names = counters().into_iter().map(|(name, _)| name);
        names
            .map(|name| {
                let low = u64::from(self.read_register(register(&format!("{name}_low"))));
                low | u64::from(self.read_register(register(&format!("{name}_high")))) << 32
            })
            .collect()
    }

    /// Starts from empty buffers, as the step engine's are.
    pub fn clear_memories(&mut self) {
        self.simulator.clear_memories();
    }

    /// The simulator, to look at nets after a cycle's logic has settled.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Compiles the simulator now: [`Simulator::compile`].
    pub fn compile(&mut self) -> bool {
        self.simulator.compile()
    }

    /// Sets the inputs of a cycle and settles; the edge is the caller's. A start takes the cycles of its writes before.
    pub fn settle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        if let Some(start) = inputs.start {
            self.write_register(register("program_address_low"), start.address as u32);
            self.write_register(register("program_address_high"), (start.address >> 32) as u32);
            self.write_register(register("program_commands"), start.commands);
            self.offer_write(register("start"), 1);
        }
        let s = &mut self.simulator;
        s.set(self.read_address_ready, u64::from(inputs.read_address_ready));
        s.set(self.read[0], u64::from(inputs.read.is_some()));
        if let Some(beat) = &inputs.read {
            s.set_wide(self.read[1], &beat.data);
            s.set(self.read[2], u64::from(beat.reader == Reader::Load));
            s.set(self.read[3], u64::from(beat.last));
            s.set(self.read[4], if beat.error { SLAVE_ERROR } else { OKAY });
        }
        s.set(self.write_address_ready, u64::from(inputs.write_address_ready));
        s.set(self.write_ready, u64::from(inputs.write_ready));
        s.set(self.response[0], u64::from(inputs.response.is_some()));
        s.set(self.response[1], if inputs.response == Some(true) { SLAVE_ERROR } else { OKAY });
        s.settle();
        let get = |probe: &Probe| s.get(probe);
        let reader = if get(&self.read_address[3]) == 1 { Reader::Load } else { Reader::Fetch };
        let burst = |probes: &[Probe]| Burst { address: get(&probes[1]), beats: get(&probes[2]) as u32 + 1 };
        let (read_address, write_address) = (&self.read_address, &self.write_address);
        outputs.read_address = (get(&read_address[0]) == 1).then(|| (reader, burst(read_address)));
        outputs.read_ready = get(&self.read_ready) == 1;
        outputs.write_address = (get(&write_address[0]) == 1).then(|| burst(write_address));
        outputs.write = (get(&self.write[0]) == 1).then(|| {
            let mut data: Beat = [0; BEAT_WORDS];
            for (word, value) in data.iter_mut().zip(s.get_wide(&self.write[1])) {
                *word = value;
            }
            WriteBeat { data, strobes: get(&self.write[2]) as u32, last: get(&self.write[3]) == 1 }
        });
        outputs.retire = get(&self.retire) as u32;
        outputs.status = get(&self.status) as u32;
        outputs.done = get(&self.interrupt) == 1;
    }

    /// The clock edge.
    pub fn edge(&mut self) {
        self.simulator.edge();
    }
}

/// AXI responses.
const OKAY: u64 = 0;
const SLAVE_ERROR: u64 = 2;

/// Address of a register of the control port.
fn register(name: &str) -> u32 {
    control_registers().iter().find(|register| register.name == name).map_or(0, |register| register.address)
}

impl Accelerator for NetlistArray {
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs) {
        self.settle(inputs, outputs);
        self.edge();
    }

    fn error(&mut self) -> u32 {
        self.read_register(register("status")) >> 4
    }
}
