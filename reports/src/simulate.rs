use bitmosaic_results::{EnergyPj, MemoryWaits, SimulateDocument, SimulateResult};

use crate::breakdown::{Breakdown, Cause};
use crate::layers::layer_table;
use crate::number::{bytes, count, energy, machine, percent, seconds, share, trimmed};
use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};

/// What is printed where a design has no technology.
pub(crate) const NO_ENERGY: &str = "not modelled by this design";

/// What `bitmosaic simulate` prints: provenance, one row a layer with the total, cycles by cause, key numbers.
pub fn simulate_text(document: &SimulateDocument) -> String {
    let result = &document.result;
    let mut text = provenance_table(&document.provenance, "Simulation").text();
    text += &format!("\n{}\n", layer_table(result).text());
    text += &format!("{}\n", Breakdown::new(result).table().text());
    text += &performance_table(result).text();
    for contradiction in contradictions(result) {
        text += &format!("WARNING: {contradiction}\n");
    }
    text
}

/// Cycles, time, utilization, bytes, energy of a whole result.
pub(crate) fn performance_table(result: &SimulateResult) -> Table {
    let mut table = Table::facts("Performance and traffic");
    let read: u128 = result.layers.iter().map(|l| u128::from(l.bytes_read)).sum();
    let written: u128 = result.layers.iter().map(|l| u128::from(l.bytes_written)).sum();
    table.fact("cycles", count(result.cycles.into()));
    table.fact("time", time(result));
    table.fact("utilization", percent(result.utilization));
    table.fact("bytes read", bytes(read));
    table.fact("bytes written", bytes(written));
    if result.cycles > 0 {
        let rate = (read + written) as f64 / result.cycles as f64;
        table.fact("traffic", format!("{} bytes a cycle on average", trimmed(rate, 4)));
    }
    let waits: Vec<&MemoryWaits> = result.layers.iter().filter_map(|l| l.memory_waits.as_ref()).collect();
    if !waits.is_empty() {
        let sum = |of: fn(&MemoryWaits) -> u64| count(waits.iter().map(|w| u128::from(of(w))).sum());
        table.fact("products wait for operands", format!("{} cycles", sum(|w| w.operands)));
        table.fact("products wait for room in the output buffer", format!("{} cycles", sum(|w| w.outputs)));
        table.fact("loads wait for room in their buffer", format!("{} cycles, beside other work", sum(|w| w.room)));
    }
    if let Some(inference) = &result.inference {
        table.fact("parameters", count(inference.parameters.into()));
        table.fact("tokens", count(inference.tokens.into()));
        table.fact("tokens a second", trimmed(inference.tokens_per_second, 4));
        if let Some(joules) = inference.joules_per_token {
            table.fact("energy a token", energy(joules * 1e12));
        }
        table.fact("cache at the end", bytes(inference.cache_bytes.into()));
        let of = |cycles: u64| {
            format!("{} cycles, {}", count(cycles.into()), percent(share(cycles.into(), result.cycles.into())))
        };
        table.fact("operations on the cache", of(inference.cache_cycles));
        table.fact("vector unit", of(inference.vector_cycles));
        let fusion = &inference.fusion;
        table.fact("activations through memory", bytes(fusion.activation_bytes.into()));
        let fitting = bytes(fusion.on_chip_bytes.into());
        table.fact(
            "of tensors that fit the activation buffer",
            format!("{fitting}; fusion saves at most {}", of(fusion.cycles)),
        );
    }
    match &result.energy_pj {
        Some(parts) => {
            for (name, value) in energy_parts(parts) {
                let text = format!("{}, {}", energy(value), percent(energy_share(value, parts)));
                table.fact(&format!("energy, {name}"), text);
            }
            if parts.sram_leakage > 0.0 {
                let text = format!("{}, part of SRAM", energy(parts.sram_leakage));
                table.fact("energy, leakage of the memories", text);
            }
            if let Some(technology) = &result.technology {
                table.fact("technology", technology.clone());
            }
        }
        None => table.fact("energy", NO_ENERGY),
    }
    table
}

/// Seconds, and the clock they stand for.
pub(crate) fn time(result: &SimulateResult) -> String {
    let megahertz = result.cycles as f64 / result.seconds / 1e6;
    if result.cycles == 0 || !megahertz.is_finite() || megahertz <= 0.0 {
        return seconds(result.seconds);
    }
    format!("{} at {} MHz", seconds(result.seconds), trimmed(megahertz, 4))
}

/// Why utilization is what it is, in one sentence.
pub(crate) fn utilization_sentence(result: &SimulateResult) -> String {
    let breakdown = Breakdown::new(result);
    let compute = share(breakdown.cycles(Cause::Compute), breakdown.total);
    let idle = compute - result.utilization;
    let mut text = format!(
        "Utilization {} = useful multiply-accumulate terms / terms the processing elements could have done in all cycles.",
        percent(result.utilization)
    );
    if idle > 0.0005 {
        text += &format!(
            " Steps take {} of the cycles; the difference is steps of elements that have no useful term, such as padding.",
            percent(compute)
        );
    } else if idle < -0.0005 {
        text += &format!(" This contradicts the compute share of {}, which it cannot exceed.", percent(compute));
    }
    text
}

/// Energy by part, the sum last.
pub(crate) fn energy_parts(energy: &EnergyPj) -> [(&'static str, f64); 4] {
    [("compute", energy.compute), ("SRAM", energy.sram), ("DRAM", energy.dram), ("total", energy.total)]
}

fn energy_share(value: f64, of: &EnergyPj) -> f64 {
    if value == 0.0 { 0.0 } else { value / of.total }
}

/// Energy by part with shares.
pub(crate) fn energy_table(energy: &EnergyPj) -> Table {
    let columns = vec![Column::left("part"), Column::right("energy").unit("pJ"), Column::right("share")];
    let mut table = Table::new("Energy", columns);
    for (name, value) in energy_parts(energy) {
        table.row([Cell::text(name), Cell::Number(value), Cell::Share(energy_share(value, energy))]);
    }
    table.total = table.rows.pop();
    table
}

/// Where a result does not add up. Reports show such a result, and say so.
pub(crate) fn contradictions(result: &SimulateResult) -> Vec<String> {
    let mut found = Vec::new();
    let layers: u128 = result.layers.iter().map(|l| u128::from(l.cycles)).sum();
    if layers != u128::from(result.cycles) {
        found.push(format!(
            "the layers add up to {} cycles, the total says {}",
            count(layers),
            count(result.cycles.into())
        ));
    }
    let wrong = result.layers.iter().filter(|l| {
        let parts: u128 = Cause::RECORDED.iter().map(|cause| u128::from(cause.of(l))).sum();
        parts != u128::from(l.cycles)
    });
    match wrong.count() {
        0 => {}
        n => found.push(format!("in {n} of {} layers the causes do not add up to the cycles", result.layers.len())),
    }
    if !(0.0..=1.0).contains(&result.utilization) {
        found.push(format!("utilization is {}, outside 0 to 1", machine(result.utilization)));
    }
    found
}
