//! A generated module or machine as a block of a rust-hdl design: simulated by the netlist simulator, emitted as the
//! Verilog of this project inside a wrapper.
//!
//! rust-hdl fixes widths at compile time, a netlist has them from a design file. So the user declares the ports with
//! [`rust_hdl_ports!`](crate::rust_hdl_ports) and [`Generated::new`] binds them by name: a port that is missing, unknown,
//! of another direction or width is an error that shows the right declaration, which [`declaration`] also gives.
//!
//! In the enclosing block the ports are fields as of any rust-hdl block, also inside `#[hdl_gen]`:
//! `self.pe.digit_i.next = self.digit.val()`. State without reset powers up with bits of the seed given, where rust-hdl's own
//! blocks start from 0.

mod ports;
mod verilog;

use std::ops::{Deref, DerefMut};

use rust_hdl_core::prelude::{Block, Logic, Probe as Visitor, Verilog, Wrapper};

pub use ports::{BridgeError, PortSignal, PortValue, Ports, declaration};

use crate::netlist::Design;
use crate::simulate::Simulator;
use ports::Binding;

/// A design of this project as one rust-hdl block. Its fields are those of `P`.
#[derive(Debug)]
pub struct Generated<P> {
    ports: P,
    bindings: Vec<Binding>,
    simulator: Simulator,
    /// Level of `clk_i` at the last update.
    clock: bool,
    verilog: Wrapper,
}

impl<P: Ports> Generated<P> {
    /// A block that behaves as `design`. State that reset does not touch starts from bits of `seed`.
    ///
    /// # Errors
    /// `Ports` if `P` does not declare the ports of the top module, `Netlist` for a design that breaks a rule.
    pub fn new(design: &Design, seed: u64) -> Result<Generated<P>, BridgeError> {
        let ports = P::default();
        let simulator = Simulator::new(design, seed)?;
        let bindings = ports::bind(&ports, design.top(), &simulator)?;
        Ok(Generated { ports, bindings, simulator, clock: false, verilog: verilog::wrapper(design) })
    }

    /// The simulator behind the block, to look at nets.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }
}

impl<P> Deref for Generated<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.ports
    }
}

impl<P> DerefMut for Generated<P> {
    fn deref_mut(&mut self) -> &mut P {
        &mut self.ports
    }
}

impl<P: Ports> Logic for Generated<P> {
    /// As rust-hdl's flip-flop: an edge takes the inputs that this step of the simulation sees.
    fn update(&mut self) {
        let mut rising = false;
        for ((_, signal), binding) in self.ports.signals().into_iter().zip(&self.bindings) {
            match binding {
                Binding::Clock => {
                    let level = signal.words()[0] == 1;
                    rising = level && !self.clock;
                    self.clock = level;
                }
                Binding::Input(port) => self.simulator.set_wide(*port, &signal.words()),
                Binding::Output(_) => {}
            }
        }
        if rising {
            self.simulator.edge();
        }
        self.simulator.settle();
        for ((_, signal), binding) in self.ports.signals_mut().into_iter().zip(&self.bindings) {
            if let Binding::Output(probe) = binding {
                signal.set_next(&self.simulator.get_wide(probe));
            }
        }
    }

    fn connect(&mut self) {
        for ((_, signal), binding) in self.ports.signals_mut().into_iter().zip(&self.bindings) {
            if matches!(binding, Binding::Output(_)) {
                signal.connect();
            }
        }
    }

    fn hdl(&self) -> Verilog {
        Verilog::Wrapper(self.verilog.clone())
    }
}

/// What rust-hdl's derive makes of a struct of signals.
impl<P: Ports> Block for Generated<P> {
    fn connect_all(&mut self) {
        self.connect();
    }

    fn update_all(&mut self) {
        self.update();
        for (_, signal) in self.ports.signals_mut() {
            signal.update_all();
        }
    }

    fn has_changed(&self) -> bool {
        self.ports.signals().iter().any(|(_, signal)| signal.has_changed())
    }

    fn accept(&self, name: &str, probe: &mut dyn Visitor) {
        probe.visit_start_scope(name, self);
        for (port, signal) in self.ports.signals() {
            signal.accept(port, probe);
        }
        probe.visit_end_scope(name, self);
    }
}
