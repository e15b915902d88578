//! Machines that skip bits beside a design.

use bitmosaic_results::PeersDocument;

use crate::run::provenance_table;
use crate::table::{Cell, Column, Table};

/// What `bitmosaic peers` prints.
pub fn peers_text(document: &PeersDocument) -> String {
    let mut text = provenance_table(&document.provenance, "Peers").text();
    let heads = ["layer", "type", "machine"].map(Column::left);
    let numbers = ["group", "steps", "of the design's", "columns run ahead", "of the design's"].map(Column::right);
    let mut table = Table::new("Steps of the array", heads.into_iter().chain(numbers).collect());
    for layer in &document.result.layers {
        let share = |steps: u64| {
            let own = layer.design_steps.filter(|own| *own > 0);
            own.map_or(Cell::Empty, |own| Cell::text(format!("{:.3}", steps as f64 / own as f64)))
        };
        let own = layer.design_steps.map(|steps| (document.provenance.design.as_str(), steps, steps));
        let peers = layer.peers.iter().map(|peer| (peer.peer.as_str(), peer.steps, peer.run_ahead_steps));
        for (machine, steps, ahead) in own.into_iter().chain(peers) {
            table.row([
                Cell::text(&layer.name),
                Cell::text(&layer.weight_type),
                Cell::text(machine),
                Cell::count(layer.group),
                Cell::count(steps),
                share(steps),
                Cell::count(ahead),
                share(ahead),
            ]);
        }
    }
    text += &format!("\n{}", table.text());
    text + "\nSteps alone, in arrays of the design's rows, columns and lanes: no memory, fill or drain; PEs of other areas.\n"
}
