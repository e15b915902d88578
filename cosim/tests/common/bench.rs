//! A module alone in the netlist simulator.

use bitmosaic_rtl::netlist::{Design, Module};
use bitmosaic_rtl::simulate::{Port, Probe, Simulator};

/// Seed of the bits that a module powers up with.
pub const POWER_UP: u64 = 7;

/// The simulator of a module without instances.
///
/// # Errors
/// A module that a mutation has broken.
pub fn simulator(module: &Module) -> Result<Simulator, String> {
    let design = Design::new(module.clone(), vec![]).map_err(|e| e.to_string())?;
    Simulator::new(&design, POWER_UP).map_err(|e| e.to_string())
}

/// Input ports by name.
pub fn inputs<const N: usize>(simulator: &Simulator, names: [&str; N]) -> [Port; N] {
    names.map(|name| simulator.input(name).unwrap_or_else(|| panic!("no input {name}")))
}

/// Output ports by name.
pub fn outputs<const N: usize>(simulator: &Simulator, names: [&str; N]) -> [Probe; N] {
    names.map(|name| simulator.output(name).unwrap_or_else(|| panic!("no output {name}")))
}
