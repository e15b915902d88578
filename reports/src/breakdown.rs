//! Where the cycles of a simulation went, summed over its layers.

use bitmosaic_results::{LayerResult, SimulateResult};

use crate::number::share;
use crate::table::{Cell, Column, Table};

/// What a cycle was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A step.
    Compute,
    /// Only memory.
    Memory,
    /// `Stalls::operand`.
    Operand,
    /// `Stalls::scale_unit`.
    ScaleUnit,
    /// `Stalls::output`.
    Output,
    /// `Stalls::fill_drain`.
    FillDrain,
    /// In the total, but under no cause: a gap in the record, shown rather than hidden.
    Unattributed,
}

/// Cycles of one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The cause.
    pub cause: Cause,
    /// Cycles.
    pub cycles: u128,
}

/// All causes with their cycles, compute first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// One entry a cause, zeros included; `Unattributed` only where it is not zero.
    pub parts: Vec<Part>,
    /// Cycles of the result.
    pub total: u128,
}

impl Cause {
    /// The causes a record has a field for, in the order of display.
    pub const RECORDED: [Cause; 6] =
        [Cause::Compute, Cause::Memory, Cause::Operand, Cause::ScaleUnit, Cause::Output, Cause::FillDrain];

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Compute => "compute",
            Cause::Memory => "memory stall",
            Cause::Operand => "operand stall",
            Cause::ScaleUnit => "scale unit stall",
            Cause::Output => "output stall",
            Cause::FillDrain => "fill and drain",
            Cause::Unattributed => "not attributed",
        }
    }

    /// One line that explains it.
    pub fn explanation(self) -> &'static str {
        match self {
            Cause::Compute => "the processing elements took a step",
            Cause::Memory => "only memory held the machine up; 0 for a tile, whose operands are streamed in",
            Cause::Operand => "a beat of weights, activations or metadata was missing",
            Cause::ScaleUnit => "the scale units were still at work on the group before",
            Cause::Output => "an output beat was ready and was not taken",
            Cause::FillDrain => "the pipeline filled or drained, once a command",
            Cause::Unattributed => "counted in the total but under no cause: a gap in this record",
        }
    }

    /// Cycles of this cause in a layer; 0 for `Unattributed`.
    pub fn of(self, layer: &LayerResult) -> u64 {
        match self {
            Cause::Compute => layer.compute_cycles,
            Cause::Memory => layer.memory_cycles,
            Cause::Operand => layer.stalls.operand,
            Cause::ScaleUnit => layer.stalls.scale_unit,
            Cause::Output => layer.stalls.output,
            Cause::FillDrain => layer.stalls.fill_drain,
            Cause::Unattributed => 0,
        }
    }
}

impl Breakdown {
    /// Sums the layers of a result; what its total has beyond them is `Unattributed`.
    pub fn new(result: &SimulateResult) -> Breakdown {
        let total = u128::from(result.cycles);
        let mut parts: Vec<Part> = Cause::RECORDED
            .map(|cause| Part { cause, cycles: result.layers.iter().map(|l| u128::from(cause.of(l))).sum() })
            .into();
        let gap = total.saturating_sub(parts.iter().map(|p| p.cycles).sum());
        if gap > 0 {
            parts.push(Part { cause: Cause::Unattributed, cycles: gap });
        }
        Breakdown { parts, total }
    }

    /// Cycles of all parts; more than the total only in a record that contradicts itself.
    pub fn sum(&self) -> u128 {
        self.parts.iter().map(|p| p.cycles).sum()
    }

    /// Cycles of a cause.
    pub fn cycles(&self, cause: Cause) -> u128 {
        self.parts.iter().filter(|p| p.cause == cause).map(|p| p.cycles).sum()
    }

    /// One row a cause, explained.
    pub(crate) fn table(&self) -> Table {
        let columns =
            vec![Column::left("cause"), Column::right("cycles"), Column::right("share"), Column::left("what it means")];
        let mut table = Table::new("Cycles by cause", columns);
        for part in &self.parts {
            table.row([
                Cell::text(part.cause.name()),
                Cell::Count(part.cycles),
                Cell::Share(share(part.cycles, self.total)),
                Cell::text(part.cause.explanation()),
            ]);
        }
        table.total = Some(vec![
            Cell::text("all cycles"),
            Cell::Count(self.total),
            Cell::Share(share(self.total, self.total)),
            Cell::Empty,
        ]);
        table
    }
}
