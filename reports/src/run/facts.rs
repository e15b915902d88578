//! Facts that text and page share.

use bitmosaic_results::{QuantizedTensor, RunDocument};

use crate::number::{count, scientific, trimmed};
use crate::quantize::{shape, special_values_line};
use crate::simulate::{contradictions, performance_table};
use crate::table::Table;

/// Shape, type, errors and storage of the layer's weights.
pub(super) fn quantization_table(tensor: &QuantizedTensor) -> Table {
    let mut table = Table::facts(&format!("Quantization of {}", tensor.name));
    table.fact("shape", format!("{} (output × input channels)", shape(tensor)));
    table.fact("type", format!("{}, one scale for {} input channels", tensor.weight_type, count(tensor.group.into())));
    table.fact("mean square error", scientific(tensor.mse));
    table.fact("relative MSE", format!("{} (squared errors / squared weights)", scientific(tensor.relative_mse)));
    table.fact("effective bits per weight", storage(tensor));
    table
}

/// Special values on one line; the page has a table of them.
pub(super) fn special_values_fact(table: &mut Table, tensor: &QuantizedTensor) {
    let line = match tensor.special_values.is_empty() {
        true => "none in this type".into(),
        false => format!("{} (value: groups)", special_values_line(tensor)),
    };
    table.fact("special values", line);
}

/// Cycles, traffic, energy, and the work per cycle and byte where the document says how much work there was.
pub(super) fn performance(document: &RunDocument) -> Table {
    let simulate = &document.simulate;
    let mut table = performance_table(simulate);
    if let Some(work) = multiply_accumulates(document) {
        table.fact("multiply-accumulates", format!("{} (outputs × input channels)", count(work)));
        if simulate.cycles > 0 {
            table.fact("work per cycle", format!("{} MAC", trimmed(work as f64 / simulate.cycles as f64, 4)));
        }
        let moved: u128 = simulate.layers.iter().map(|l| u128::from(l.bytes_read) + u128::from(l.bytes_written)).sum();
        if moved > 0 {
            table
                .fact("arithmetic intensity", format!("{} MAC per byte moved", trimmed(work as f64 / moved as f64, 4)));
        }
    }
    table
}

/// What does not add up in the document.
pub(super) fn document_contradictions(document: &RunDocument) -> Vec<String> {
    let mut found = contradictions(&document.simulate);
    let simulated = document.simulate.cycles;
    if let Some(cycles) = document.cosim.cycles.simulator.filter(|c| *c != simulated) {
        found.push(format!(
            "the simulation took {} cycles, the simulator in the comparison of engines {}",
            count(simulated.into()),
            count(cycles.into())
        ));
    }
    let sum: u128 = document.quantize.special_values.values().map(|n| u128::from(*n)).sum();
    let groups = crate::quantize::groups(&document.quantize);
    if sum > groups {
        found.push(format!("{} groups chose a special value, the tensor has {}", count(sum), count(groups)));
    }
    found
}

/// The layer's work; `None` where outputs and shape do not describe one matrix multiplication.
fn multiply_accumulates(document: &RunDocument) -> Option<u128> {
    let [output_channels, input_channels] = document.quantize.shape;
    let outputs = document.cosim.outputs;
    let whole = document.simulate.layers.len() == 1 && output_channels > 0 && outputs.is_multiple_of(output_channels);
    (whole && outputs > 0).then(|| u128::from(outputs) * u128::from(input_channels))
}

fn storage(tensor: &QuantizedTensor) -> String {
    let bits = tensor.effective_bits_per_weight;
    let text = trimmed(bits, 4);
    if !bits.is_finite() || bits <= 0.0 {
        return text;
    }
    let weights = tensor.shape.iter().map(|n| u128::from(*n)).product::<u128>();
    // Whole bytes: the record's bits are an average, the product is the storage up to rounding.
    let stored = count((weights as f64 * bits / 8.0).round() as u128);
    format!(
        "{text}, scales and selectors included: {stored} bytes, {} times smaller than FP16",
        trimmed(16.0 / bits, 3)
    )
}
