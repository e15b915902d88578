//! The memory port of a whole machine: what an engine gets and gives in one cycle.

/// Words of the widest beat.
pub const BEAT_WORDS: usize = 4;

/// Data of a beat, lowest word first.
pub type Beat = [u64; BEAT_WORDS];

/// Who asked for a read: the AXI identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reader {
    /// Command fetch, identifier 0.
    #[default]
    Fetch,
    /// Operands, identifier 1.
    Load,
}

/// An offered burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// Byte address.
    pub address: u64,
    /// Beats, 1 to 256.
    pub beats: u32,
}

/// A beat of read data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBeat {
    /// Whose.
    pub reader: Reader,
    /// Data.
    pub data: Beat,
    /// Last of its burst.
    pub last: bool,
    /// The response is no OKAY.
    pub error: bool,
}

/// A beat of write data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteBeat {
    /// Data; bytes without strobe are zero.
    pub data: Beat,
    /// Bit i: byte i is written.
    pub strobes: u32,
    /// Last of its burst.
    pub last: bool,
}

/// Start of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Byte address of the program, a multiple of 128.
    pub address: u64,
    /// Commands, `end` included.
    pub commands: u32,
}

/// Inputs of a machine in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AxiInputs {
    /// A program starts at this edge.
    pub start: Option<Start>,
    /// The read address is taken.
    pub read_address_ready: bool,
    /// Offered read data.
    pub read: Option<ReadBeat>,
    /// The write address is taken.
    pub write_address_ready: bool,
    /// The write beat is taken.
    pub write_ready: bool,
    /// Offered write response; true: no OKAY.
    pub response: Option<bool>,
}

/// Outputs of a machine in one cycle: functions of its state alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AxiOutputs {
    /// Offered read burst.
    pub read_address: Option<(Reader, Burst)>,
    /// Read data is taken.
    pub read_ready: bool,
    /// Offered write burst.
    pub write_address: Option<Burst>,
    /// Offered write beat.
    pub write: Option<WriteBeat>,
    /// Bit i: a command of queue i (load, compute, store) retires at this edge.
    pub retire: u32,
    /// Bit i: status bit i of [`ports::ARRAY_STATUS`](crate::ports::ARRAY_STATUS).
    pub status: u32,
    /// The program is over.
    pub done: bool,
}

/// A whole machine that is simulated cycle by cycle: simulator and netlist.
pub trait Accelerator {
    /// One clock cycle after reset: gives the outputs of the cycle, then takes the edge.
    fn cycle(&mut self, inputs: &AxiInputs, outputs: &mut AxiOutputs);

    /// Why the program ended, 0 for a good end: 1 read response, 2 write response, 3 unknown opcode. Asked for after it.
    fn error(&mut self) -> u32;
}
