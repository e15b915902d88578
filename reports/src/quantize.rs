use std::cmp::Ordering;

use bitmosaic_results::{QuantizeDocument, QuantizedTensor};

use crate::number::{count, share};
use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};

/// What `bitmosaic quantize` prints: provenance and one row a tensor.
pub fn quantize_text(document: &QuantizeDocument) -> String {
    let mut columns = vec![
        Column::left("tensor"),
        Column::right("shape"),
        Column::left("type"),
        Column::right("group"),
        Column::right("bits per weight"),
        Column::right("MSE"),
        Column::right("relative MSE"),
    ];
    if document.tensors.iter().any(|t| !t.special_values.is_empty()) {
        columns.push(Column::left("groups by special value"));
    }
    let mut table = Table::new(&tensor_count(document.tensors.len()), columns);
    for tensor in &document.tensors {
        table.row([
            Cell::text(&tensor.name),
            Cell::text(shape(tensor)),
            Cell::text(&tensor.weight_type),
            Cell::count(tensor.group),
            Cell::Number(tensor.effective_bits_per_weight),
            Cell::Error(tensor.mse),
            Cell::Error(tensor.relative_mse),
            Cell::text(special_values_line(tensor)),
        ]);
    }
    format!(
        "{}\n{}  MSE: mean square error of the weights. Relative: sum of squared errors / sum of squared weights.\n",
        provenance_table(&document.provenance, "Quantization").text(),
        table.text()
    )
}

/// Output channels by input channels.
pub(crate) fn shape(tensor: &QuantizedTensor) -> String {
    tensor.shape.map(|n| count(n.into())).join(" × ")
}

/// In the order of the numbers their names start with, the others after them.
pub(crate) fn special_values(tensor: &QuantizedTensor) -> Vec<(&str, u64)> {
    let number = |name: &str| name.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
    let mut values: Vec<(&str, u64)> = tensor.special_values.iter().map(|(name, n)| (&name[..], *n)).collect();
    values.sort_by(|(a, _), (b, _)| match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then(a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    });
    values
}

/// `-6: 512, -3: 1,024`.
pub(crate) fn special_values_line(tensor: &QuantizedTensor) -> String {
    let entries: Vec<String> =
        special_values(tensor).iter().map(|(name, n)| format!("{name}: {}", count((*n).into()))).collect();
    entries.join(", ")
}

/// Groups of a tensor; 0 without a group length.
pub(crate) fn groups(tensor: &QuantizedTensor) -> u128 {
    let [output_channels, input_channels] = tensor.shape.map(u128::from);
    if tensor.group == 0 { 0 } else { output_channels * input_channels.div_ceil(tensor.group.into()) }
}

/// One row a special value, and the groups that chose none.
pub(crate) fn special_value_table(tensor: &QuantizedTensor) -> Table {
    let columns = vec![Column::left("special value"), Column::right("groups"), Column::right("share")];
    let mut table = Table::new("Special value chosen by each group", columns);
    let values = special_values(tensor);
    let sum: u128 = values.iter().map(|(_, n)| u128::from(*n)).sum();
    let all = groups(tensor).max(sum);
    for (name, n) in values {
        table.row([Cell::text(name), Cell::count(n), Cell::Share(share(n.into(), all))]);
    }
    if all > sum {
        let none = Cell::text("none: quantized to all zeros");
        table.row([none, Cell::Count(all - sum), Cell::Share(share(all - sum, all))]);
    }
    table.total = Some(vec![Cell::text("all groups"), Cell::Count(all), Cell::Share(share(all, all))]);
    table
}

fn tensor_count(tensors: usize) -> String {
    match tensors {
        0 => "No tensor was quantized".into(),
        1 => "1 tensor".into(),
        n => format!("{} tensors", count(n as u128)),
    }
}
