//! Ports: rust-hdl signals bound to the ports of a module by name.

use std::fmt::Write as _;

use rust_hdl_core::prelude::{Bits, Block, Clock, In, Out, Signal, Signed, Synth};
use thiserror::Error;

use crate::netlist::{CLOCK, Module, NetlistError, RESET, low_mask};
use crate::simulate::{Port, Probe, Simulator};

/// Why a generated module cannot be a rust-hdl block.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BridgeError {
    /// The struct of ports does not fit the module.
    #[error("ports of module `{module}`: {}; the module needs\n\n{declaration}", findings.join("; "))]
    Ports {
        /// Name of the module.
        module: String,
        /// What is wrong, port by port.
        findings: Vec<String>,
        /// What would be right.
        declaration: String,
    },
    /// The design is no netlist.
    #[error(transparent)]
    Netlist(#[from] NetlistError),
}

/// A value that a port can carry: `Bit`, `Bits<N>`, `Signed<N>` or `Clock`.
pub trait PortValue: Synth {
    /// Whether the value is a clock.
    const IS_CLOCK: bool = false;

    /// As 64-bit words, lowest first, zero-extended.
    fn to_words(self) -> Vec<u64>;

    /// From words, whose bits beyond the width are 0.
    fn from_words(words: &[u64]) -> Self;
}

impl PortValue for bool {
    fn to_words(self) -> Vec<u64> {
        vec![u64::from(self)]
    }

    fn from_words(words: &[u64]) -> bool {
        words[0] == 1
    }
}

impl PortValue for Clock {
    const IS_CLOCK: bool = true;

    fn to_words(self) -> Vec<u64> {
        vec![u64::from(self.clk)]
    }

    fn from_words(words: &[u64]) -> Clock {
        Clock { clk: words[0] == 1 }
    }
}

impl<const N: usize> PortValue for Bits<N> {
    fn to_words(self) -> Vec<u64> {
        let bit = |at: usize| u64::from(at < N && self.get_bit(at)) << (at % 64);
        (0..N.div_ceil(64)).map(|word| (0..64).fold(0, |value, at| value | bit(64 * word + at))).collect()
    }

    fn from_words(words: &[u64]) -> Bits<N> {
        if N <= 64 {
            return Bits::from(words[0] & low_mask(N as u32));
        }
        let set = (0..N).filter(|at| words[at / 64] >> (at % 64) & 1 == 1);
        set.fold(Bits::default(), |value: Bits<N>, at| value.replace_bit(at, true))
    }
}

impl<const N: usize> PortValue for Signed<N> {
    fn to_words(self) -> Vec<u64> {
        self.inner().to_words()
    }

    fn from_words(words: &[u64]) -> Signed<N> {
        rust_hdl_core::prelude::signed_cast(Bits::from_words(words))
    }
}

/// A rust-hdl signal that stands for a port.
pub trait PortSignal: Block {
    /// Whether the block reads it.
    fn is_input(&self) -> bool;
    /// Whether it carries a clock.
    fn is_clock(&self) -> bool;
    /// Width in bits.
    fn width(&self) -> u32;
    /// Present value as words.
    fn words(&self) -> Vec<u64>;
    /// Drives an output; inputs stay what their source gives.
    fn set_next(&mut self, words: &[u64]);
}

impl<T: PortValue> PortSignal for Signal<In, T> {
    fn is_input(&self) -> bool {
        true
    }

    fn is_clock(&self) -> bool {
        T::IS_CLOCK
    }

    fn width(&self) -> u32 {
        T::BITS as u32
    }

    fn words(&self) -> Vec<u64> {
        self.val().to_words()
    }

    fn set_next(&mut self, _words: &[u64]) {}
}

impl<T: PortValue> PortSignal for Signal<Out, T> {
    fn is_input(&self) -> bool {
        false
    }

    fn is_clock(&self) -> bool {
        T::IS_CLOCK
    }

    fn width(&self) -> u32 {
        T::BITS as u32
    }

    fn words(&self) -> Vec<u64> {
        self.val().to_words()
    }

    fn set_next(&mut self, words: &[u64]) {
        self.next = T::from_words(words);
    }
}

/// A struct whose fields are the ports of a module; [`rust_hdl_ports!`](crate::rust_hdl_ports) declares one.
pub trait Ports: Default {
    /// Fields by name.
    fn signals(&self) -> Vec<(&'static str, &dyn PortSignal)>;
    /// Fields by name, in the same order.
    fn signals_mut(&mut self) -> Vec<(&'static str, &mut dyn PortSignal)>;
}

/// Declares a struct of rust-hdl signals and implements [`Ports`](crate::rust_hdl::Ports) for it.
#[macro_export]
macro_rules! rust_hdl_ports {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$port_meta:meta])* pub $port:ident: $signal:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        $vis struct $name {
            $($(#[$port_meta])* pub $port: $signal,)*
        }

        impl $crate::rust_hdl::Ports for $name {
            fn signals(&self) -> Vec<(&'static str, &dyn $crate::rust_hdl::PortSignal)> {
                vec![$((stringify!($port), &self.$port),)*]
            }

            fn signals_mut(&mut self) -> Vec<(&'static str, &mut dyn $crate::rust_hdl::PortSignal)> {
                vec![$((stringify!($port), &mut self.$port),)*]
            }
        }
    };
}

/// What a signal is bound to.
#[derive(Debug)]
pub(super) enum Binding {
    Clock,
    Input(Port),
    Output(Probe),
}

/// A port of a module, clock and reset included.
struct Wanted {
    name: String,
    is_input: bool,
    width: u32,
    doc: String,
}

impl Wanted {
    fn signal(&self) -> String {
        let direction = if self.is_input { "In" } else { "Out" };
        let value = match self.width {
            _ if self.name == CLOCK => "Clock".to_string(),
            1 => "Bit".to_string(),
            width => format!("Bits<{width}>"),
        };
        format!("Signal<{direction}, {value}>")
    }
}

fn wanted(module: &Module) -> Vec<Wanted> {
    let own = |name: &str, doc: &str| Wanted { name: name.into(), is_input: true, width: 1, doc: doc.into() };
    let mut wanted = Vec::new();
    wanted.extend(module.is_clocked().then(|| own(CLOCK, "clock")));
    wanted.extend(module.is_resettable().then(|| own(RESET, "synchronous reset, active high")));
    let of = |is_input: bool| {
        move |port: &crate::netlist::ModulePort| Wanted {
            name: port.name.clone(),
            is_input,
            width: module.shape(port.net).width,
            doc: port.doc.clone(),
        }
    };
    wanted.extend(module.inputs.iter().map(of(true)));
    wanted.extend(module.outputs.iter().map(of(false)));
    wanted
}

/// Rust text that declares the ports of a module as `struct <name>`, for a file that imports rust-hdl's prelude.
pub fn declaration(module: &Module, name: &str) -> String {
    let mut text =
        format!("bitmosaic_rtl::rust_hdl_ports! {{\n    /// Ports of `{}`.\n    pub struct {name} {{\n", module.name);
    for port in wanted(module) {
        if !port.doc.is_empty() {
            let _ = writeln!(text, "        /// {}", port.doc.replace('\n', " "));
        }
        let _ = writeln!(text, "        pub {}: {},", port.name, port.signal());
    }
    text.push_str("    }\n}\n");
    text
}

/// Binds the signals of `ports` to the module's ports, in their order.
pub(super) fn bind(ports: &impl Ports, module: &Module, simulator: &Simulator) -> Result<Vec<Binding>, BridgeError> {
    let signals = ports.signals();
    let wanted = wanted(module);
    let mut findings: Vec<String> = Vec::new();
    for port in wanted.iter().filter(|port| signals.iter().all(|(name, _)| *name != port.name)) {
        findings.push(format!("`{}` is missing", port.name));
    }
    let mut bindings = Vec::new();
    for (name, signal) in &signals {
        let Some(port) = wanted.iter().find(|port| port.name == *name) else {
            findings.push(format!("the module has no port `{name}`"));
            continue;
        };
        if signal.is_input() != port.is_input {
            findings.push(format!("`{name}` must be an {}", if port.is_input { "input" } else { "output" }));
        } else if signal.is_clock() != (*name == CLOCK) {
            findings.push(format!("`{name}` must be a `{}`", port.signal()));
        } else if signal.width() != port.width {
            findings.push(format!("`{name}` has {} bits, the port {}", signal.width(), port.width));
        }
        match (*name == CLOCK, simulator.input(name), simulator.output(name)) {
            (true, ..) => bindings.push(Binding::Clock),
            (_, Some(input), _) => bindings.push(Binding::Input(input)),
            (_, _, Some(output)) => bindings.push(Binding::Output(output)),
            _ => {}
        }
    }
    if findings.is_empty() {
        return Ok(bindings);
    }
    let declaration = declaration(module, "Ports");
    Err(BridgeError::Ports { module: module.name.clone(), findings, declaration })
}
