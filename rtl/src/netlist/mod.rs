//! The typed netlist: modules of nets, operations, registers, memories and instances under
//! one clock and one synchronous reset.
//!
//! The rules are checked while a module is built (`ModuleBuilder`) and can be checked again
//! after a change (`Module::check`, `Design::check`). Everything else in the room - Verilog
//! writer, simulator, cost - reads this structure and relies on the rules.

mod builder;
mod builder_ops;
mod check;
mod design;
mod error;
mod module;
mod name;
mod op;
mod rule;
pub(crate) mod wiring;

pub use builder::{ModuleBuilder, Outputs};
pub(crate) use check::order;
pub use design::Design;
pub use error::{NetlistError, Operand, Problem};
pub use module::{
    Driver, Instance, InstanceOutput, Module, ModulePort, Net, NetInfo, Operation, Ram, RamShape, Register,
    address_bits,
};
pub use name::{CLOCK, RESET};
pub(crate) use name::{TABLE, UNUSED};
pub use op::{MAX_ARITHMETIC_BITS, MAX_NET_BITS, NetId, Op, Shape, low_mask};

#[cfg(test)]
mod tests;
