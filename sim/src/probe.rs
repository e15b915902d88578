//! Named values inside a unit, for the localizer: the same paths name the same nets in the netlist and in the Verilog.

/// A named value of one cycle, before its edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Path below the unit's top module, for example `u_pe_1_0.accumulator_q`.
    pub path: String,
    /// The module that makes the value; empty if it is the one that the path leads to.
    pub module: &'static str,
    /// Row of the PE and its token, where there is one.
    pub row: Option<(u32, u32)>,
    /// Column of the PE and its output channel, where there is one.
    pub column: Option<(u32, u32)>,
    /// Word of the net, of 64 bits, 0 the lowest.
    pub word: usize,
    /// Its bits; unused high bits are zero.
    pub value: u64,
}

/// A unit whose insides can be looked at.
pub trait Probed {
    /// Defined values of this cycle in data-flow order: a wrong one early in the list explains those behind it.
    fn probes(&self) -> Vec<Probe>;
}

impl Probe {
    /// A probe outside the PE array.
    pub fn new(path: impl Into<String>, module: &'static str, value: u64) -> Probe {
        Probe { path: path.into(), module, row: None, column: None, word: 0, value }
    }

    /// The net, and where in it, in words.
    pub fn net(&self) -> String {
        match self.word {
            0 => self.path.clone(),
            word => format!("{}, bits from {}", self.path, 64 * word),
        }
    }
}
