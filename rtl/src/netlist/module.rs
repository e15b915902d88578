//! A module as plain data.

use super::error::Operand;
use super::op::{NetId, Op, Shape};

/// A handle on a net, cheap to copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Net {
    /// Which net of the module.
    pub id: NetId,
    /// Number of bits.
    pub width: u32,
    /// Two's complement.
    pub signed: bool,
}

impl Net {
    /// Width and signedness.
    pub fn shape(self) -> Shape {
        Shape { width: self.width, signed: self.signed }
    }
}

/// A net of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetInfo {
    /// Name in the Verilog text; unique in the module.
    pub name: String,
    /// The name was given, not generated: the net appears under it in the Verilog text.
    pub named: bool,
    /// Width and signedness.
    pub shape: Shape,
    /// What the net means; may be empty.
    pub doc: String,
}

/// An operation with the net it drives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The driven net.
    pub result: NetId,
    /// What drives it.
    pub op: Op,
}

/// A port. An input's net carries the port's name; an output shows the value of any net.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModulePort {
    /// Name of the port.
    pub name: String,
    /// The net behind it.
    pub net: NetId,
    /// What it means.
    pub doc: String,
}

/// A register of any width.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Register {
    /// Its present value.
    pub net: NetId,
    /// Its value after the next edge, where enabled and not in reset.
    pub next: NetId,
    /// 1 bit; without one the register loads at every edge.
    pub enable: Option<NetId>,
    /// Value taken while `rst_i` is high (bit pattern, zero-extended to the width).
    /// Without one the register ignores reset and powers up unknown.
    pub reset: Option<u64>,
}

/// Size of a memory; each distinct one is a module `ram_<depth>x<width>` in Verilog.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RamShape {
    /// Number of words.
    pub depth: u32,
    /// Bits of a word.
    pub width: u32,
}

impl RamShape {
    /// Name of the template module.
    pub fn module_name(self) -> String {
        format!("ram_{}x{}", self.depth, self.width)
    }

    /// 1 to 2^24 words and at most 2^30 bits.
    pub(super) fn is_possible(self) -> bool {
        (1..=1 << 24).contains(&self.depth) && u64::from(self.depth) * u64::from(self.width) <= 1 << 30
    }

    /// Width of an address in bits.
    pub fn address_bits(self) -> u32 {
        address_bits(self.depth)
    }
}

/// Width of an address for `depth` words: `ceil(log2(depth))`, at least 1.
pub fn address_bits(depth: u32) -> u32 {
    (u32::BITS - depth.saturating_sub(1).leading_zeros()).max(1)
}

/// A memory with one write and one read port, both synchronous.
///
/// The read data changes only at an edge with `read_enable`. Reading the word that is written
/// at the same edge gives an unspecified value; so does an address beyond the depth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ram {
    /// Name; the instance is `u_<name>`, the read data `<name>_rdata`.
    pub name: String,
    /// Depth in words, width in bits.
    pub shape: RamShape,
    /// 1 bit.
    pub write_enable: NetId,
    /// Unsigned, `address_bits`.
    pub write_address: NetId,
    /// Unsigned, one word.
    pub write_data: NetId,
    /// 1 bit.
    pub read_enable: NetId,
    /// Unsigned, `address_bits`.
    pub read_address: NetId,
    /// Unsigned, one word, from the edge after the one that read it.
    pub read_data: NetId,
    /// What it holds.
    pub doc: String,
}

impl Ram {
    /// Name of the instance in the Verilog text and in hierarchical paths.
    pub fn instance_name(&self) -> String {
        format!("u_{}", self.name)
    }

    /// The nets the memory reads.
    pub fn inputs(&self) -> [NetId; 5] {
        let Ram { write_enable, write_address, write_data, read_enable, read_address, .. } = *self;
        [write_enable, write_address, write_data, read_enable, read_address]
    }
}

/// An instance of another module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Name of the instance.
    pub name: String,
    /// Name of its module.
    pub module: String,
    /// Input ports in the module's order, with the net that feeds each.
    pub inputs: Vec<(String, NetId)>,
    /// Output ports in the module's order.
    pub outputs: Vec<InstanceOutput>,
    /// The module has `clk_i`.
    pub clocked: bool,
    /// The module has `rst_i`.
    pub resettable: bool,
}

/// An output of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceOutput {
    /// Name of the port.
    pub port: String,
    /// The net it drives.
    pub net: NetId,
    /// Inputs (indices into `Instance::inputs`) it depends on within the same cycle.
    pub depends_on: Vec<usize>,
}

/// A hardware module with one clock.
///
/// The fields are public so that a test can change one operation of a built design;
/// `Module::check` and `Design::check` tell whether the result is still a netlist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// Name of the module and its file.
    pub name: String,
    /// What it does; the block comment above the module.
    pub doc: String,
    /// All nets.
    pub nets: Vec<NetInfo>,
    /// All operations, each driving one net.
    pub ops: Vec<Operation>,
    /// All registers.
    pub registers: Vec<Register>,
    /// All memories.
    pub rams: Vec<Ram>,
    /// All instances.
    pub instances: Vec<Instance>,
    /// Input ports in order, without clock and reset.
    pub inputs: Vec<ModulePort>,
    /// Output ports in order.
    pub outputs: Vec<ModulePort>,
    /// Nets whose unused bits are deliberate.
    pub ignored: Vec<NetId>,
}

/// What drives a net.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driver {
    /// Input port, by index.
    Input(usize),
    /// Operation, by index.
    Op(usize),
    /// Register, by index.
    Register(usize),
    /// Read data of a memory, by index.
    Ram(usize),
    /// Instance and output, by index.
    Instance(usize, usize),
}

impl Module {
    /// Shape of a net; `id` must be one of this module's.
    pub fn shape(&self, id: NetId) -> Shape {
        self.nets[id.index()].shape
    }

    /// The net as an error message shows it; total on any id.
    pub fn operand(&self, id: NetId) -> Operand {
        match self.nets.get(id.index()) {
            Some(info) => Operand { name: info.name.clone(), shape: info.shape },
            None => Operand { name: format!("net {}", id.0), shape: Shape { width: 0, signed: false } },
        }
    }

    /// Input port of that name.
    pub fn input(&self, name: &str) -> Option<&ModulePort> {
        self.inputs.iter().find(|p| p.name == name)
    }

    /// Output port of that name.
    pub fn output(&self, name: &str) -> Option<&ModulePort> {
        self.outputs.iter().find(|p| p.name == name)
    }

    /// Net of that name, given or generated.
    pub fn net(&self, name: &str) -> Option<NetId> {
        let index = self.nets.iter().position(|n| n.name == name)?;
        Some(NetId(index as u32))
    }

    /// The module has the port `clk_i`: it or a child holds state.
    pub fn is_clocked(&self) -> bool {
        !self.registers.is_empty() || !self.rams.is_empty() || self.instances.iter().any(|i| i.clocked)
    }

    /// The module has the port `rst_i`: a register of it or of a child resets.
    pub fn is_resettable(&self) -> bool {
        self.registers.iter().any(|r| r.reset.is_some()) || self.instances.iter().any(|i| i.resettable)
    }

    /// Bits of state in registers of this module, without children and memories.
    pub fn register_bits(&self) -> u64 {
        self.registers.iter().map(|r| u64::from(self.shape(r.net).width)).sum()
    }
}
