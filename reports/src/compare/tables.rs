//! The tables of a comparison, and what it says about accuracy.

use bitmosaic_results::{ComparePoint, CompareResult, ErrorStatistics};

use super::{layers, rows, rows_by_terms};
use crate::number::{count, share};
use crate::table::{Cell, Column, Table};

/// Exceptions that a claim lists one by one.
const LISTED: usize = 12;

/// Each design as it is described.
pub(super) fn designs_table(result: &CompareResult) -> Table {
    let columns = vec![
        Column::left("design"),
        Column::right("terms a cycle"),
        Column::right("largest group"),
        Column::right("gate equivalents"),
        Column::right("flip-flops"),
        Column::right("RAM").unit("bits"),
        Column::left("own types"),
    ];
    let mut table = Table::new("Designs as described, with all their types", columns);
    for d in &result.designs {
        table.row([
            Cell::text(&d.name),
            Cell::count(d.terms_per_cycle),
            Cell::count(d.max_group),
            Cell::count(d.area.gate_equivalents),
            Cell::count(d.area.flip_flops),
            Cell::count(d.area.ram_bits),
            Cell::text(d.types.join(", ")),
        ]);
    }
    table
}

/// Cycles of the first layer by group and terms, designs side by side.
pub(super) fn groups_table(result: &CompareResult) -> Table {
    let mut columns = vec![Column::right("group"), Column::right("terms")];
    for design in &result.designs {
        columns.push(Column::right(&format!("{} cycles", design.name)));
        columns.push(Column::right("waiting for scale units"));
    }
    let layer = layers(result).first().copied().unwrap_or_default();
    let mut table = Table::new(&format!("Cycles by group and terms per weight: {layer}"), columns);
    for row in rows_by_terms(result) {
        let mut cells = vec![Cell::count(row.first.group), Cell::count(row.first.terms)];
        cells.extend(row.designs.iter().flat_map(|p| two(*p, |p| [Cell::count(p.cycles), Cell::Share(stalled(p))])));
        table.row(cells);
    }
    table
}

/// Which types take how many terms.
pub(super) fn terms_table(result: &CompareResult) -> Table {
    let mut table = Table::new("Types by terms per weight", vec![Column::right("terms"), Column::left("types")]);
    let layer = layers(result).first().copied().unwrap_or_default();
    let mut types: Vec<(u64, &str)> =
        rows(result, layer).iter().map(|r| (r.first.terms, &r.first.weight_type[..])).collect();
    types.dedup();
    types.sort_by_key(|t| t.0);
    for same in types.chunk_by(|a, b| a.0 == b.0) {
        let names: Vec<&str> = same.iter().map(|t| t.1).collect();
        table.row([Cell::count(same[0].0), Cell::text(names.join(", "))]);
    }
    table
}

/// The points of a layer that nothing beats, cheapest first.
pub(super) fn front_table(result: &CompareResult, layer: &str) -> Table {
    let columns = vec![
        Column::left("type"),
        Column::right("group"),
        Column::left("design"),
        Column::right("bits per weight"),
        Column::right("gate cycles per MAC"),
        Column::right("relative MSE"),
        Column::right("cosine"),
        Column::right("cycles"),
    ];
    let mut table = Table::new(&format!("Front of area x cycles against error: {layer}"), columns);
    for p in front(result, layer) {
        let mut cells = vec![Cell::text(&p.weight_type), Cell::count(p.group), Cell::text(&p.design)];
        cells.extend([Cell::Number(p.effective_bits_per_weight), Cell::Number(p.gate_cycles_per_mac)]);
        cells.extend(two(p.machine.as_ref(), |m| [Cell::Error(m.relative_mse), Cell::Cosine(m.cosine)]));
        cells.push(Cell::count(p.cycles));
        table.row(cells);
    }
    table
}

/// The points of a layer that nothing beats, cheapest first.
pub(crate) fn front<'a>(result: &'a CompareResult, layer: &str) -> Vec<&'a ComparePoint> {
    let mut front: Vec<&ComparePoint> = result.points.iter().filter(|p| p.layer == layer && p.pareto).collect();
    front.sort_by(|a, b| a.gate_cycles_per_mac.total_cmp(&b.gate_cycles_per_mac));
    front
}

/// Errors of a layer: what quantization costs, and the machines beside FP16 accumulation.
pub(super) fn accuracy_table(result: &CompareResult, layer: &str) -> Table {
    let mut columns = vec![
        Column::left("type"),
        Column::right("group"),
        Column::right("bits per weight"),
        Column::right("relative MSE of the weights"),
        Column::right("cosine, exact arithmetic"),
        Column::right("FP16 yardstick rms"),
    ];
    for design in &result.designs {
        columns.push(Column::right(&format!("{} cosine", design.name)));
        columns.push(Column::right("rms / FP16's"));
        columns.push(Column::right("largest / FP16's"));
    }
    let mut table = Table::new(&format!("Error: {layer}"), columns);
    for row in rows(result, layer) {
        let p = row.first;
        let mut cells = vec![
            Cell::text(&p.weight_type),
            Cell::count(p.group),
            Cell::Number(p.effective_bits_per_weight),
            Cell::Error(p.weights_relative_mse),
            p.quantized.map_or(Cell::Empty, |q| Cell::Cosine(q.cosine)),
            Cell::Error(p.error.fp16_yardstick.rms_relative),
        ];
        for point in &row.designs {
            let Some(p) = point else {
                cells.extend([Cell::Empty, Cell::Empty, Cell::Empty]);
                continue;
            };
            let (machine, fp16) = (&p.error.datapath, &p.error.fp16_yardstick);
            cells.push(p.machine.map_or(Cell::Empty, |m| Cell::Cosine(m.cosine)));
            cells.push(ratio(machine.rms_relative, fp16.rms_relative));
            cells.push(ratio(machine.max_relative, fp16.max_relative));
        }
        table.row(cells);
    }
    table
}

/// Cycles and area of a layer.
pub(super) fn cost_table(result: &CompareResult, layer: &str) -> Table {
    let mut columns = vec![Column::left("type"), Column::right("group"), Column::right("terms")];
    for design in &result.designs {
        columns.push(Column::right(&format!("{} cycles", design.name)));
        columns.push(Column::right("waiting for scale units"));
        columns.push(Column::right("gate equivalents"));
        columns.push(Column::right("gate cycles per MAC"));
    }
    let mut table = Table::new(&format!("Cycles and area: {layer}"), columns);
    for row in rows(result, layer) {
        let p = row.first;
        let mut cells = vec![Cell::text(&p.weight_type), Cell::count(p.group), Cell::count(p.terms)];
        for p in &row.designs {
            cells.extend(two(*p, |p| [Cell::count(p.cycles), Cell::Share(stalled(p))]));
            let area = |p: &ComparePoint| [Cell::count(p.area.gate_equivalents), Cell::Number(p.gate_cycles_per_mac)];
            cells.extend(two(*p, area));
        }
        table.row(cells);
    }
    table
}

/// Everything, for a spreadsheet.
pub(super) fn csv_table(result: &CompareResult) -> Table {
    let names = "layer type group design terms effective_bits_per_weight weights_relative_mse gate_equivalents cells \
        flip_flops ram_bits cycles compute_cycles stall_operand_cycles stall_scale_unit_cycles stall_output_cycles \
        stall_fill_drain_cycles utilization gate_cycles_per_mac quantized_cosine quantized_relative_mse machine_cosine \
        machine_relative_mse datapath_mean datapath_rms datapath_max datapath_non_finite_mismatches fp16_mean fp16_rms \
        fp16_max fp16_non_finite_mismatches fp32_mean fp32_rms fp32_max fp32_non_finite_mismatches pareto";
    let mut table = Table::new("compare", names.split_whitespace().map(Column::left).collect());
    for p in &result.points {
        let mut row = vec![Cell::text(&p.layer), Cell::text(&p.weight_type), Cell::count(p.group)];
        row.extend([Cell::text(&p.design), Cell::count(p.terms)]);
        row.extend([p.effective_bits_per_weight, p.weights_relative_mse].map(Cell::Number));
        let (area, stalls) = (&p.area, &p.stalls);
        row.extend([area.gate_equivalents, area.cells, area.flip_flops, area.ram_bits].map(Cell::count));
        row.extend([p.cycles, p.compute_cycles, stalls.operand, stalls.scale_unit].map(Cell::count));
        row.extend([stalls.output, stalls.fill_drain].map(Cell::count));
        row.extend([p.utilization, p.gate_cycles_per_mac].map(Cell::Number));
        for fidelity in [&p.quantized, &p.machine] {
            row.extend(two(fidelity.as_ref(), |f| [f.cosine, f.relative_mse].map(Cell::Number)));
        }
        for e in [&p.error.datapath, &p.error.fp16_yardstick, &p.error.fp32_yardstick] {
            row.extend([e.mean_relative, e.rms_relative, e.max_relative].map(Cell::Number));
            row.push(Cell::count(e.non_finite_mismatches));
        }
        row.push(Cell::count(u8::from(p.pareto)));
        table.row(row);
    }
    table
}

/// How a design stands beside FP16 accumulation, over all points.
pub(super) struct Claim<'a> {
    design: &'a str,
    points: usize,
    /// Points whose mean, rms and largest error are no larger than the yardstick's.
    pub(super) holding: [usize; 3],
    /// Points where one of them is larger.
    exceptions: Vec<&'a ComparePoint>,
}

impl<'a> Claim<'a> {
    pub(super) fn new(result: &'a CompareResult, design: &'a str) -> Claim<'a> {
        let mut claim = Claim { design, points: 0, holding: [0; 3], exceptions: Vec::new() };
        for point in result.points.iter().filter(|p| p.design == design) {
            let holds = no_worse(&point.error.datapath, &point.error.fp16_yardstick);
            claim.points += 1;
            claim.holding.iter_mut().zip(holds).for_each(|(count, holds)| *count += usize::from(holds));
            if holds.contains(&false) {
                claim.exceptions.push(point);
            }
        }
        claim
    }

    /// Whether every point holds in all three.
    pub(super) fn holds(&self) -> bool {
        self.points > 0 && self.exceptions.is_empty()
    }

    pub(super) fn sentence(&self) -> String {
        let [mean, rms, max] = self.holding.map(|n| count(n as u128));
        format!(
            "{}: no less accurate than FP16 accumulation in {mean} of {} points by mean error, {rms} by rms, {max} by largest error.",
            self.design,
            count(self.points as u128)
        )
    }

    /// Where it does not hold.
    pub(super) fn exceptions(&self) -> Vec<String> {
        let text = |p: &&ComparePoint| {
            let names = ["mean", "rms", "largest"].into_iter();
            let holds = no_worse(&p.error.datapath, &p.error.fp16_yardstick);
            let worse: Vec<&str> = names.zip(holds).filter(|(_, holds)| !holds).map(|(name, _)| name).collect();
            format!("{}: {}, {} g{}: {}", p.design, p.layer, p.weight_type, p.group, worse.join(", "))
        };
        let mut items: Vec<String> = self.exceptions.iter().take(LISTED).map(text).collect();
        if self.exceptions.len() > LISTED {
            items.push(format!("{}: {} more, see the table", self.design, self.exceptions.len() - LISTED));
        }
        items
    }
}

/// Whether mean, rms and largest error are no larger; a machine with outputs that are not finite where the exact ones are
/// (or the other way round) holds in none, unless the yardstick has as many.
fn no_worse(machine: &ErrorStatistics, yardstick: &ErrorStatistics) -> [bool; 3] {
    let finite = machine.non_finite_mismatches <= yardstick.non_finite_mismatches;
    [
        finite && machine.mean_relative <= yardstick.mean_relative,
        finite && machine.rms_relative <= yardstick.rms_relative,
        finite && machine.max_relative <= yardstick.max_relative,
    ]
}

fn stalled(point: &ComparePoint) -> f64 {
    share(point.stalls.scale_unit.into(), point.cycles.into())
}

fn ratio(machine: f64, yardstick: f64) -> Cell {
    match (machine, yardstick) {
        (m, y) if m == 0.0 && y == 0.0 => Cell::text("both 0"),
        (m, y) => Cell::Number(m / y),
    }
}

fn two<T>(value: Option<&T>, cells: impl Fn(&T) -> [Cell; 2]) -> [Cell; 2] {
    value.map_or([Cell::Empty, Cell::Empty], cells)
}
