//! What can be wrong with a netlist.

use thiserror::Error;

use super::op::Shape;

/// A broken rule, with the module it was found in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("module `{module}`: {problem}")]
pub struct NetlistError {
    /// Name of the module (for a design-wide problem, of the top).
    pub module: String,
    /// The broken rule.
    pub problem: Problem,
}

/// A net as an error message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Given or generated name.
    pub name: String,
    /// Width and signedness.
    pub shape: Shape,
}

impl std::fmt::Display for Operand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({})", self.name, self.shape)
    }
}

/// The rules of the netlist, as what breaks them.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// Not an identifier of Verilog-2005.
    #[error("`{name}` is not an identifier: letters, digits and underscores, not starting with a digit")]
    BadIdentifier {
        /// The name as given.
        name: String,
    },
    /// A keyword of Verilog or SystemVerilog.
    #[error("`{name}` is a reserved word of Verilog or SystemVerilog")]
    ReservedWord {
        /// The name as given.
        name: String,
    },
    /// `clk_i`, `rst_i` and `_unused_ok` belong to the netlist; a module gets them when it
    /// needs them.
    #[error("`{name}` is declared and connected by the netlist itself; choose another name")]
    OwnName {
        /// The name as given.
        name: String,
    },
    /// Two nets, ports or instances of one module share a name.
    #[error("`{name}` is declared twice")]
    DuplicateName {
        /// The shared name.
        name: String,
    },
    /// A width that no net can have.
    #[error("`{name}` is {width} bits wide; 1 to 2^20 bits are possible")]
    BadWidth {
        /// The net.
        name: String,
        /// Its width in bits.
        width: u32,
    },
    /// A net handle that this module does not have (another builder's, or a failed call's).
    #[error("net {id} does not belong to this module")]
    UnknownNet {
        /// Index of the net.
        id: u32,
    },
    /// Arithmetic and logic stop at 64 bits; wider nets are only moved.
    #[error("{operation} on {operand}: at most 64 bits; wider nets can only be sliced, joined, registered and stored")]
    TooWide {
        /// The operation.
        operation: &'static str,
        /// The offending operand or result.
        operand: Operand,
    },
    /// The operands must have the same width and signedness.
    #[error("{operation} needs equal widths and signedness, found {a} and {b}")]
    ShapeMismatch {
        /// The operation.
        operation: &'static str,
        /// First operand.
        a: Operand,
        /// Operand that differs.
        b: Operand,
    },
    /// The operands must be both signed or both unsigned.
    #[error("{operation} needs equal signedness, found {a} and {b}; use as_signed, as_unsigned or extend")]
    SignMismatch {
        /// The operation.
        operation: &'static str,
        /// First operand.
        a: Operand,
        /// Operand that differs.
        b: Operand,
    },
    /// An operand with a fixed shape has another one.
    #[error("{operation} needs {role} of {expected}, found {found}")]
    WrongOperand {
        /// The operation.
        operation: &'static str,
        /// What the operand is for.
        role: &'static str,
        /// What would be right.
        expected: &'static str,
        /// The operand.
        found: Operand,
    },
    /// The result net does not have the shape the operation produces.
    #[error("{operation} gives {expected}, but it drives {found}")]
    WrongResult {
        /// The operation.
        operation: &'static str,
        /// The shape the rules give.
        expected: Shape,
        /// The result net.
        found: Operand,
    },
    /// A slice reaches beyond its operand.
    #[error("bits {low}..{end} of {operand} do not exist")]
    SliceOutOfRange {
        /// The sliced net.
        operand: Operand,
        /// First bit taken.
        low: u32,
        /// One past the last bit taken.
        end: u64,
    },
    /// A constant or reset value needs more bits than it has.
    #[error("the value {value} does not fit into {shape}")]
    ValueTooLarge {
        /// The value as a decimal number.
        value: String,
        /// Where it should fit.
        shape: Shape,
    },
    /// A select without choices, or with choices that no index reaches.
    #[error("select has {choices} choices, but an index of {index_bits} bits reaches 1 to 2^{index_bits}")]
    WrongChoiceCount {
        /// Number of choices.
        choices: usize,
        /// Width of the index.
        index_bits: u32,
    },
    /// Joining nothing.
    #[error("concat needs at least one part")]
    EmptyConcat,
    /// A net that nothing drives (also a declared register that was never driven).
    #[error("{net} is not driven")]
    Undriven {
        /// The net.
        net: Operand,
    },
    /// A net with two drivers.
    #[error("{net} is driven more than once")]
    DrivenTwice {
        /// The net.
        net: Operand,
    },
    /// `drive` on something else than a declared register.
    #[error("{net} is not a register of this module")]
    NotARegister {
        /// The net.
        net: Operand,
    },
    /// A net depends on itself without a register between.
    #[error("combinational loop through {}", .nets.join(" -> "))]
    CombinationalLoop {
        /// Names along the loop.
        nets: Vec<String>,
    },
    /// A memory without words, or one that is too large.
    #[error(
        "the memory `{name}` has {depth} words of {width} bits; 1 to 2^24 words and at most 2^30 bits are possible"
    )]
    BadMemory {
        /// The memory.
        name: String,
        /// Its depth in words.
        depth: u32,
        /// Its width in bits.
        width: u32,
    },
    /// The module of an instance has an input that is not connected.
    #[error("instance `{instance}` leaves the input `{port}` of `{of}` open")]
    MissingConnection {
        /// The instance.
        instance: String,
        /// Its module.
        of: String,
        /// The input port.
        port: String,
    },
    /// The module of an instance has no such port.
    #[error("instance `{instance}`: `{of}` has no {direction} `{port}`")]
    UnknownPort {
        /// The instance.
        instance: String,
        /// Its module.
        of: String,
        /// The name asked for.
        port: String,
        /// `input` or `output`.
        direction: &'static str,
    },
    /// An input of an instance is connected twice.
    #[error("instance `{instance}` connects `{port}` twice")]
    ConnectedTwice {
        /// The instance.
        instance: String,
        /// The port.
        port: String,
    },
    /// A connection with another shape than the port.
    #[error("instance `{instance}`: port `{port}` is {expected}, connected to {found}")]
    ConnectionShape {
        /// The instance.
        instance: String,
        /// The port.
        port: String,
        /// Shape of the port.
        expected: Shape,
        /// The connected net.
        found: Operand,
    },
    /// An instance of a module that the design does not have.
    #[error("instance `{instance}` is of `{of}`, which is not in the design")]
    UnknownModule {
        /// The instance.
        instance: String,
        /// The missing module.
        of: String,
    },
    /// An instance was made from another version of its module.
    #[error("instance `{instance}` was built against another version of `{of}`: {detail}")]
    StaleInstance {
        /// The instance.
        instance: String,
        /// Its module.
        of: String,
        /// What differs.
        detail: &'static str,
    },
    /// Two modules of one name differ.
    #[error("two different modules are called `{name}`")]
    ConflictingModules {
        /// The shared name.
        name: String,
    },
    /// A module contains itself.
    #[error("`{name}` contains itself")]
    Recursion {
        /// The module.
        name: String,
    },
}
