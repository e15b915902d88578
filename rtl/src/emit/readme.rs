//! The page that goes with the exported Verilog: ports, streams, beats, commands, time. Everything on it is read from the
//! machine, the netlist and a run of the netlist simulator.

use std::fmt::Write as _;

use bitmosaic_arch::{BlockPe, IntPe, Machine, PeWidths};
use bitmosaic_mappings::{
    BeatFormat, Latency, MappingError, Watchdog, aligner_beats, field, matmul_command, output_delay, tile_beats,
};
use thiserror::Error;

use super::waveform::{self, Waveform, drawn_channels};
use crate::hardware::Units;
use crate::netlist::{CLOCK, Design, ModulePort, NetlistError, RESET};

/// Why a bundle could not be made: all are bugs, none a matter of the design file.
#[derive(Debug, Error)]
pub enum BundleError {
    /// A broken netlist.
    #[error(transparent)]
    Netlist(#[from] NetlistError),
    /// A program of the page that the machine refuses.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A program of the page that hangs.
    #[error(transparent)]
    Watchdog(#[from] Watchdog),
}

/// Text of `README.md` beside the Verilog of `units`, the hardware of `machine`.
///
/// # Errors
/// A machine whose netlist does not run the tiny program of the timing section.
pub fn readme(machine: &Machine, units: &Units) -> Result<String, BundleError> {
    let mut text = format!(
        "# Design {}\n\n{}.\n\nWritten by bitmosaic from one description, design SHA-256 `{}`; do not edit.\n\n\
         `files.f` lists the files. One clock, rising edge; a synchronous reset, active high, which touches control only: \
         data registers power up unknown and no unknown bit reaches a handshake or an offered beat. Top modules: {}.\n\n",
        machine.name,
        machine.summary,
        machine.design_sha256,
        units.designs().map(|design| format!("`{}`", design.top().name)).collect::<Vec<_>>().join(", "),
    );
    parameters(&mut text, machine);
    types(&mut text, machine);
    text += "## Streams\n\nEvery stream is ready/valid: a beat moves at the edge where both are high, and an offered beat \
             stays, unchanged, until it is taken. A source must not wait for ready: as the port tables show, the ready of \
             one stream depends on the valid of others.\n\n";
    for design in units.designs() {
        ports(&mut text, design);
    }
    commands(&mut text, machine);
    text +=
        "## Beats\n\nParts and fields stand lowest bits first; a field given for each lane repeats side by side.\n\n";
    beats(&mut text, "aligner", &aligner_beats(machine));
    beats(&mut text, "tile", &tile_beats(machine));
    time(&mut text, machine)?;
    let (aligner, tile) = waveform::run(machine, units)?;
    timing(&mut text, machine, aligner, tile);
    Ok(text)
}

pub(super) fn table(text: &mut String, head: &str, rows: impl IntoIterator<Item = Vec<String>>) {
    let _ = writeln!(text, "| {head} |\n|{}", " --- |".repeat(head.split('|').count()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
}

pub(super) fn parameters(text: &mut String, machine: &Machine) {
    let (tile, pe, unit) = (&machine.tile, &machine.pe, &machine.scale_unit);
    let mut rows = vec![
        ("clock, MHz", machine.clock_mhz),
        ("rows (tokens)", tile.rows),
        ("columns (output channels)", tile.columns),
        ("lanes of a PE", pe.lanes),
        ("bits of an activation on its stream", pe.activation_bits),
        ("bits of a weight code on its stream", machine.code_bits),
        ("most terms (cycles) per weight", machine.max_terms),
        ("largest group, input channels", machine.max_group),
        ("bits of the group accumulator", pe.accumulator_bits),
        ("pipeline registers of a PE", pe.pipeline_registers),
        ("scale units", unit.units),
        ("PEs of a scale unit", unit.pes),
        ("slots of a group", unit.slots),
        ("cycles in which PEs multiply by the scale code", unit.dequantize_cycles),
        ("cycles of the FP32 accumulator loop", unit.loop_cycles),
        ("registers from hold register to output", unit.output_latency_cycles),
    ];
    match &pe.kind {
        PeWidths::Block(BlockPe { tree_bits, .. }) | PeWidths::Int(IntPe { tree_bits, .. }) => {
            rows.push(("bits of a sum of lanes", *tree_bits));
        }
        PeWidths::Float(float) | PeWidths::Mac(float) => rows.extend([
            ("guard bits of a lane", float.guard_bits),
            ("guard bits of the accumulator", float.accumulator_guard_bits),
            ("bits of a sum of lanes", float.sum_bits),
        ]),
    }
    if let Some(aligner) = &machine.aligner {
        rows.push(("values a cycle of the aligner", aligner.values_per_cycle));
        rows.push(("registers from a group's last beat to its first aligned beat", aligner.latency_cycles));
    }
    text.push_str("## Parameters\n\n");
    table(text, "parameter | value", rows.into_iter().map(|(name, value)| vec![name.into(), value.to_string()]));
}

pub(super) fn types(text: &mut String, machine: &Machine) {
    text.push_str("## Weight types\n\n");
    let row = |(index, executed): (usize, &bitmosaic_arch::ExecutedType)| {
        let of = &executed.weight_type;
        let numbers = [executed.table.terms, of.code_bits as usize, of.fraction_bits as usize].map(|n| n.to_string());
        [vec![index.to_string(), of.name.to_string()], numbers.to_vec()].concat()
    };
    table(text, "index | type | terms | code bits | fraction bits", machine.types.iter().enumerate().map(row));
    for (of, victim) in machine.types.iter().filter_map(|t| Some((&t.weight_type, t.table.victim?))) {
        let _ = writeln!(
            text,
            "`{}` weights stand in pairs, those of lanes 2i and 2i + 1: code {victim} is a victim, which counts as zero, and the code \
             beside it an outlier.\n",
            of.name
        );
    }
}

fn ports(text: &mut String, design: &Design) {
    let top = design.top();
    let _ = writeln!(text, "## Ports of `{}`\n\n{}\n", top.name, top.doc.replace('\n', " "));
    let row = |name: &str, direction: &str, width: u32, doc: &str, paths: String| {
        vec![format!("`{name}`"), direction.to_string(), width.to_string(), doc.replace('\n', " "), paths]
    };
    let mut rows = Vec::new();
    rows.extend(top.is_clocked().then(|| row(CLOCK, "input", 1, "clock", String::new())));
    rows.extend(top.is_resettable().then(|| row(RESET, "input", 1, "synchronous reset, active high", String::new())));
    let width = |port: &ModulePort| top.shape(port.net).width;
    rows.extend(top.inputs.iter().map(|port| row(&port.name, "input", width(port), &port.doc, String::new())));
    for (port, paths) in top.outputs.iter().zip(top.combinational_inputs()) {
        let paths: Vec<String> = paths.iter().map(|input| format!("`{}`", top.inputs[*input].name)).collect();
        rows.push(row(&port.name, "output", width(port), &port.doc, paths.join(", ")));
    }
    table(text, "port | direction | bits | meaning | depends within the cycle on", rows);
}

fn commands(text: &mut String, machine: &Machine) {
    let _ = writeln!(
        text,
        "## Commands\n\nA command is one beat of {} bits, the 32 bytes of the program, first byte lowest. A program is any \
         number of products, closed by `end`; both units take the same program. M, N and K are below 2^{}. The group is at \
         most {} and a multiple of {}; `terms` and `fraction_bits` are those of the weight type.\n",
        field::COMMAND_BITS,
        field::DIMENSION_BITS,
        machine.max_group,
        machine.pe.lanes
    );
    let row =
        |(name, (low, bits), meaning): (&str, (u32, u32), &str)| vec![range(low, bits), name.into(), meaning.into()];
    table(text, "bits | field | meaning", field::MATMUL.map(row));
}

pub(super) fn range(low: u32, bits: u32) -> String {
    if bits == 1 { low.to_string() } else { format!("{}:{low}", low + bits - 1) }
}

fn beats(text: &mut String, unit: &str, formats: &[(&'static str, BeatFormat)]) {
    if formats.is_empty() {
        return;
    }
    let _ = writeln!(text, "Of the {unit}:\n");
    let rows = formats.iter().flat_map(|(stream, format)| {
        format.fields.iter().map(move |field| {
            let part = match format.parts {
                1 => "the beat".to_string(),
                parts => format!("{} 0 to {}, every {} bits", format.part, parts - 1, format.part_bits()),
            };
            let low = format.offset(field.name);
            let bits = match field.count {
                1 => range(low, field.bits),
                count => format!("{}, each of {count} lanes {} bits", range(low, field.bits * count), field.bits),
            };
            vec![format!("`{stream}`"), format.bits().to_string(), part, bits, field.name.into(), field.meaning.clone()]
        })
    });
    table(text, "stream | beat bits | part | bits of the part | field | meaning", rows);
}

/// Products of the table of cycles: tokens, input channels, output channels, group.
fn examples(machine: &Machine) -> Vec<[usize; 4]> {
    let (rows, columns) = (machine.tile.rows as usize, machine.tile.columns as usize);
    let (entry, group) = (machine.entry_channels as usize, machine.max_group as usize);
    vec![
        [rows, entry, columns, entry],
        [rows, 4 * group, columns, group],
        [2 * rows + 1, 2 * group + 1, 3 * columns + 1, group],
        [1, 8 * entry, 2 * columns, (2 * entry).min(group)],
    ]
}

fn time(text: &mut String, machine: &Machine) -> Result<(), BundleError> {
    let unit = &machine.scale_unit;
    let _ = writeln!(
        text,
        "## Time of the tile\n\nCycle 0 is the edge that accepts the command. A pass runs over all input channels of {} \
         output channels and {} tokens; its chunks have {} input channels. `steps` of a group are its chunks times the terms \
         per weight. Where no stream ever waits for its other side:\n\n\
         - capture of the first group: 1 + steps + {}\n\
         - capture of each later group: max(steps, {}) after the one before, passes following each other without a gap\n\
         - last output of a pass: {} after the capture of its last group ({} + {} + {})\n\
         - cycles of a product: the edge of its last output, plus 1\n",
        machine.tile.columns,
        machine.tile.rows,
        machine.pe.lanes,
        machine.pe.pipeline_registers,
        unit.slots,
        output_delay(machine),
        unit.dequantize_cycles,
        unit.pes,
        unit.output_latency_cycles,
    );
    let mut rows = Vec::new();
    for executed in &machine.types {
        let of = &executed.weight_type;
        for [tokens, input_channels, output_channels, group] in examples(machine) {
            let shape = [tokens, output_channels, input_channels];
            let matmul = matmul_command(machine, of.name, of.special_values(), of.scale_kind(), group, shape)?;
            let latency = Latency::new(machine, &matmul);
            let product = format!("{tokens}x{input_channels}x{output_channels}");
            let times = [latency.first_capture, latency.last_capture, latency.cycles()].map(|n| n.to_string());
            rows.push([vec![of.name.to_string(), group.to_string(), product], times.to_vec()].concat());
        }
    }
    table(text, "type | group | product MxKxN | first capture | last capture | cycles", rows);
    Ok(())
}

fn timing(text: &mut String, machine: &Machine, aligner: Option<Waveform>, tile: Waveform) {
    let values = machine.entry_channels;
    let _ = writeln!(
        text,
        "## Timing\n\nDrawn from a run of the netlist simulator: {} tokens, {} output channels, one group of {} input channels, so \
         two passes, type `{}`; no stream holds back. `▔` is high, `_` low, `.` no beat offered; a letter and a number name \
         a beat, which moves at the edge that ends a cycle with valid and ready high. Names in brackets are inside the \
         module.\n",
        machine.tile.rows,
        2 * machine.tile.columns,
        drawn_channels(machine),
        machine.types[0].weight_type.name
    );
    if let Some(aligner) = aligner {
        let _ = writeln!(text, "Aligner, {values} values a beat:\n\n```\n{}```\n", aligner.text());
    }
    let list = |cycles: &[usize]| cycles.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let outputs: Vec<usize> = tile.trace.outputs.iter().map(|beat| beat.cycle as usize).collect();
    let retirements: Vec<usize> = tile.trace.retirements.iter().map(|cycle| *cycle as usize).collect();
    let _ = writeln!(
        text,
        "Tile:\n\n```\n{}```\n\nIn the whole run: captures in cycles {}; output beats {} from cycle {} to {}; commands retire \
         in {}.",
        tile.text(),
        list(&tile.cycles_of("capture")),
        outputs.len(),
        list(&outputs[..1.min(outputs.len())]),
        list(&outputs[outputs.len().saturating_sub(1)..]),
        list(&retirements),
    );
}
