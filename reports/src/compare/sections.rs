//! The sections of the page, in order.

use bitmosaic_results::CompareDocument;

use super::layers;
use super::tables::{Claim, accuracy_table, cost_table, designs_table, front_table, groups_table, terms_table};
use crate::RunDetails;
use crate::page::{Block, Section, Tone};
use crate::plot::{front_plot, groups_plot};
use crate::run::provenance_table;
use crate::yardstick::DEFINITION;

pub(super) fn verdict(document: &CompareDocument) -> Section {
    let result = &document.result;
    let mut blocks = Vec::new();
    for claim in result.designs.iter().map(|d| Claim::new(result, &d.name)) {
        let (tone, what) = match claim.holds() {
            true => (Tone::Pass, "no less accurate than FP16 accumulation in every point compared here"),
            false => (Tone::Caution, "less accurate than FP16 accumulation in some points"),
        };
        blocks.push(Block::Statement(tone, what.into(), claim.sentence()));
        let exceptions = claim.exceptions();
        if !exceptions.is_empty() {
            blocks.push(Block::Paragraph("Where it is less accurate, and in which error:".into()));
            blocks.push(Block::List(exceptions));
        }
    }
    Section { id: "verdict", heading: "Accuracy beside FP16 accumulation", blocks }
}

pub(super) fn provenance(document: &CompareDocument) -> Section {
    let blocks = vec![
        Block::Table(provenance_table(&document.provenance, "")),
        Block::Table(designs_table(&document.result)),
        Block::Paragraph(
            "One build of a design runs all its types. Everywhere below, a point is the design built for its one type alone, so \
             that the area of a type is its own: no term tables of other types, no wider accumulators for them."
                .into(),
        ),
    ];
    Section { id: "provenance", heading: "What was compared", blocks }
}

pub(super) fn groups(document: &CompareDocument) -> Section {
    let caption = "Cycles of the first layer by group and terms per weight. A tile waits where a group is shorter than the \
                   scale units (or the PEs' own dequantizers) need for the group before.";
    let blocks = vec![
        Block::Plot(caption, groups_plot(&document.result)),
        Block::Paragraph(
            "Designs may differ in the terms that they could do a cycle, PEs x lanes: cycles x area, below, is the fair measure."
                .into(),
        ),
        Block::Table(groups_table(&document.result)),
        Block::Table(terms_table(&document.result)),
    ];
    Section { id: "groups", heading: "Cycles by group", blocks }
}

pub(super) fn front(document: &CompareDocument) -> Section {
    let mut blocks = vec![Block::Paragraph(
        "Cost is gate equivalents x cycles / multiply-accumulates of the layer, for the design built for the type alone. Error \
         is the relative mean square error of the machine's outputs against the layer before quantization. The front holds \
         the points that no other point of the layer beats in one without losing in the other."
            .into(),
    )];
    for layer in layers(&document.result) {
        blocks.push(Block::Paragraph(format!("Layer: {layer}")));
        let caption = "Cost and error of every type, group and design, both logarithmic: the lower left corner is better. \
                       Diamonds are the front.";
        blocks.push(Block::Plot(caption, front_plot(&document.result, layer)));
        blocks.push(Block::Table(front_table(&document.result, layer)));
    }
    Section { id: "front", heading: "Cycles x area against error", blocks }
}

pub(super) fn accuracy(document: &CompareDocument) -> Section {
    let mut blocks = vec![
        Block::Paragraph(
            "Cosines compare outputs with the layer before quantization: FP32 weights and activations, sums in binary64. That of \
             exact arithmetic on the quantized weights shows what quantization costs; what a machine loses beyond it is its \
             own."
                .into(),
        ),
        Block::Paragraph(format!(
            "{DEFINITION} The columns beside the cosines divide a machine's error by that of FP16 accumulation: below 1 it is more accurate."
        )),
    ];
    blocks.extend(layers(&document.result).into_iter().map(|l| Block::Table(accuracy_table(&document.result, l))));
    Section { id: "accuracy", heading: "Error by type and group", blocks }
}

pub(super) fn cost(document: &CompareDocument) -> Section {
    let tables = layers(&document.result).into_iter().map(|l| Block::Table(cost_table(&document.result, l)));
    Section { id: "cost", heading: "Cycles and area by type and group", blocks: tables.collect() }
}

pub(super) fn reproduce(details: &RunDetails) -> Section {
    let block = match details.command.trim().is_empty() {
        true => Block::Paragraph("No command line was recorded with this result.".into()),
        false => Block::Code(details.command.clone()),
    };
    Section { id: "reproduce", heading: "How to reproduce", blocks: vec![block] }
}

pub(super) fn limits(document: &CompareDocument, details: &RunDetails) -> Section {
    let left_out = document.result.left_out.iter().map(|(what, reason)| format!("Not compared, {what}: {reason}"));
    let items: Vec<String> = details.notes.iter().cloned().chain(left_out).collect();
    let blocks = match items.is_empty() {
        true => vec![Block::Paragraph("No note on the model was recorded with this result.".into())],
        false => vec![Block::List(items)],
    };
    Section { id: "limits", heading: "What is left out", blocks }
}
