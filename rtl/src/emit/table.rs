//! Tables of constants, written as functions: one each, however many nets look it up.

use std::collections::BTreeSet;

use super::expression::{literal, range};
use super::plan::Plan;
use crate::netlist::wiring::{self, Nets, Piece};
use crate::netlist::{NetId, Op, TABLE};

/// An entry for every value of the index.
#[derive(PartialEq)]
pub(super) struct Table {
    index_width: u32,
    width: u32,
    values: Vec<u64>,
}

impl Table {
    /// The table that a net looks up: a choice among constants; an index behind the last gives the last. A choice of two is
    /// none, nor is one whose index has bits for more.
    pub(super) fn of(plan: &Plan<'_>, net: NetId) -> Option<Table> {
        let Some(Op::Select { index, choices }) = plan.op(net) else { return None };
        let (index_width, width) = (plan.shape(*index).width, plan.width[net.index()]);
        let count = choices.len().next_power_of_two();
        if width == 0 || choices.len() <= 2 || count as u64 != 1 << index_width {
            return None;
        }
        let value = |choice: &NetId| match wiring::resized(plan, *choice, width)[..] {
            [Piece::Constant { value, .. }] => Some(value),
            _ => None,
        };
        let mut values = choices.iter().map(value).collect::<Option<Vec<u64>>>()?;
        values.resize(count, values[values.len() - 1]);
        Some(Table { index_width, width, values })
    }

    /// Name of the table with this number.
    pub(super) fn name(place: usize) -> String {
        format!("{TABLE}{place}")
    }

    /// The function. An unknown index gives an unknown entry.
    pub(super) fn text(&self, place: usize) -> String {
        let name = Table::name(place);
        let (result, index) = (range(self.width), range(self.index_width));
        let mut text = format!("    function {result}{name}(input {index}index);\n        case (index)\n");
        for value in self.values.iter().collect::<BTreeSet<_>>() {
            let places = self.values.iter().enumerate().filter(|(_, v)| *v == value);
            let labels: Vec<String> = places.map(|(i, _)| literal(i as u64, self.index_width)).collect();
            let labels: Vec<String> = labels.chunks(8).map(|line| line.join(", ")).collect();
            let labels = labels.join(",\n            ");
            text.push_str(&format!("            {labels}: {name} = {};\n", literal(*value, self.width)));
        }
        text + &format!("            default: {name} = {}'bx;\n        endcase\n    endfunction\n", self.width)
    }
}
