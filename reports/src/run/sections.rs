//! The sections of the page, in order.

use bitmosaic_results::RunDocument;

use super::facts::{document_contradictions, performance, quantization_table};
use super::{RunDetails, provenance_table};
use crate::breakdown::Breakdown;
use crate::cosim::{Agreement, counts_line, engine_table, mismatch_table, replay_command, verdict as agreement};
use crate::layers::layer_table;
use crate::number::{count, percent, scientific, seconds, trimmed};
use crate::page::{Block, Section, Tone};
use crate::plot::{cycles_plot, error_plot, special_values_plot};
use crate::quantize::special_value_table;
use crate::simulate::{NO_ENERGY, energy_table, utilization_sentence};
use crate::yardstick::{self, Standing, sentence, standing};

pub(super) fn verdict(document: &RunDocument) -> Section {
    let engines = agreement(&document.cosim);
    let tone = match engines.agreement {
        Agreement::Agree => Tone::Pass,
        Agreement::Differ => Tone::Fail,
        Agreement::NotCompared => Tone::Caution,
    };
    let error = &document.error;
    let (accuracy, claim) = match standing(&error.datapath, &error.fp16_yardstick) {
        Standing::Better => (Tone::Pass, "the datapath is more accurate than FP16 arithmetic"),
        Standing::Equal => (Tone::Pass, "the datapath is as accurate as FP16 arithmetic"),
        Standing::Mixed => (Tone::Caution, "the datapath is in mean or in maximum less accurate than FP16 arithmetic"),
        Standing::Worse => (Tone::Fail, "the datapath is less accurate than FP16 arithmetic"),
        Standing::Unknown => (Tone::Caution, "the accuracy could not be compared"),
    };
    let mut blocks = vec![
        Block::Statement(tone, counts_line(&document.cosim), engines.about),
        Block::Statement(accuracy, claim.into(), sentence(&error.datapath, &error.fp16_yardstick, "FP16")),
    ];
    for contradiction in document_contradictions(document) {
        blocks.push(Block::Statement(Tone::Caution, "the result contradicts itself".into(), contradiction));
    }
    let simulate = &document.simulate;
    blocks.push(Block::Figures(vec![
        ("cycles", count(simulate.cycles.into())),
        ("time", seconds(simulate.seconds)),
        ("utilization", percent(simulate.utilization)),
        ("effective bits per weight", trimmed(document.quantize.effective_bits_per_weight, 4)),
        (
            "mean relative error",
            if error.datapath.outputs == 0 { "not compared".into() } else { scientific(error.datapath.mean_relative) },
        ),
    ]));
    Section { id: "verdict", heading: "Verdict", blocks }
}

pub(super) fn provenance(document: &RunDocument) -> Section {
    let blocks = vec![Block::Table(provenance_table(&document.provenance, ""))];
    Section { id: "provenance", heading: "What ran", blocks }
}

pub(super) fn quantization(document: &RunDocument) -> Section {
    let tensor = &document.quantize;
    let mut blocks = vec![Block::Table(quantization_table(tensor))];
    if tensor.special_values.is_empty() {
        blocks.push(Block::Paragraph(format!("{} has no special values.", tensor.weight_type)));
    } else {
        blocks.push(Block::Table(special_value_table(tensor)));
        let caption =
            "Groups by the special value they chose: the value that takes the place of the -0 code in the group.";
        if let Some(plot) = special_values_plot(tensor).transpose() {
            blocks.push(Block::Plot(caption, plot));
        }
    }
    Section { id: "quantization", heading: "Quantization", blocks }
}

pub(super) fn cycles(document: &RunDocument) -> Section {
    let simulate = &document.simulate;
    let mut blocks = vec![
        Block::Plot(
            "Where the cycles went. The lower bar shows what was not compute, at its own scale.",
            cycles_plot(simulate),
        ),
        Block::Table(Breakdown::new(simulate).table()),
        Block::Paragraph(utilization_sentence(simulate)),
    ];
    if simulate.layers.len() > 1 {
        blocks.push(Block::Table(layer_table(simulate)));
    }
    Section { id: "cycles", heading: "Cycles and stalls", blocks }
}

pub(super) fn traffic(document: &RunDocument) -> Section {
    let mut blocks = vec![Block::Table(performance(document))];
    if let Some(energy) = &document.simulate.energy_pj {
        blocks.push(Block::Table(energy_table(energy)));
    }
    Section { id: "traffic", heading: "Performance, bytes and energy", blocks }
}

pub(super) fn error(document: &RunDocument) -> Section {
    let error = &document.error;
    let blocks = vec![
        Block::Paragraph(sentence(&error.datapath, &error.fp16_yardstick, "FP16")),
        Block::Paragraph(sentence(&error.datapath, &error.fp32_yardstick, "FP32")),
        Block::Plot("Error of the same layer in three arithmetics, each against the exact result.", error_plot(error)),
        Block::Table(yardstick::table(error)),
        Block::Paragraph(yardstick::DEFINITION.into()),
        Block::Paragraph(
            "Every output ends as FP16. Even exact sums keep that one rounding, so the errors of good arithmetics come close \
             to each other. The bit-equal outputs, those with the bits of the exact result rounded once, tell them apart."
                .into(),
        ),
    ];
    Section { id: "error", heading: "Error against the exact reference", blocks }
}

pub(super) fn engines(document: &RunDocument) -> Section {
    let cosim = &document.cosim;
    let mut blocks = vec![Block::Paragraph(agreement(cosim).about), Block::Table(engine_table(cosim))];
    if !cosim.mismatches.is_empty() {
        blocks.push(Block::Table(mismatch_table(cosim)));
    }
    if !cosim.localization.is_empty() {
        blocks.push(Block::Paragraph("Where the first difference arises:".into()));
        blocks.push(Block::List(cosim.localization.clone()));
    }
    if let Some(replay) = &cosim.replay {
        blocks.push(Block::Paragraph("To see the difference again:".into()));
        blocks.push(Block::Code(replay_command(replay)));
    }
    blocks.push(Block::Paragraph(
        "The aligner runs ahead of the tile; its cycles are not part of the tile's. Cycles that differ are output beats, \
         command retirements, status counters and aligner beats."
            .into(),
    ));
    Section { id: "engines", heading: "Engines", blocks }
}

pub(super) fn reproduce(document: &RunDocument, details: &RunDetails) -> Section {
    let provenance = &document.provenance;
    let mut blocks = Vec::new();
    if details.command.trim().is_empty() {
        blocks.push(Block::Paragraph("No command line was recorded with this result.".into()));
    } else {
        blocks.push(Block::Code(details.command.clone()));
    }
    blocks.push(Block::Paragraph(format!(
        "With bitmosaic {}, seed {} and the design whose canonical form has the SHA-256 {}, it makes every number on this \
         page again. The page records no time, path or host: the same run gives the same bytes.",
        provenance.version, provenance.seed, provenance.design_sha256
    )));
    Section { id: "reproduce", heading: "How to reproduce", blocks }
}

pub(super) fn limits(document: &RunDocument, details: &RunDetails) -> Section {
    let mut items = details.notes.clone();
    if document.simulate.energy_pj.is_none() {
        items.push(format!("Energy: {NO_ENERGY}."));
    }
    let cycles = &document.cosim.cycles;
    let absent: Vec<&str> = [("Verilator", cycles.verilator), ("Icarus Verilog", cycles.icarus)]
        .into_iter()
        .filter(|(_, cycles)| cycles.is_none())
        .map(|(name, _)| name)
        .collect();
    if !absent.is_empty() {
        items.push(format!(
            "The exported Verilog was not run in {} here; the command bitmosaic cosim does that.",
            absent.join(" or ")
        ));
    }
    let blocks = match items.is_empty() {
        true => vec![Block::Paragraph("No note on the model was recorded with this result.".into())],
        false => vec![Block::List(items)],
    };
    Section { id: "limits", heading: "What the model leaves out", blocks }
}
