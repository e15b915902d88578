use std::path::PathBuf;

use bitmosaic_arch::{Machine, load};
use bitmosaic_mappings::{TileWalk, matmul_command};
use bitmosaic_reports::peers_text;
use bitmosaic_results::{PeerLayer, PeerPoint, PeersDocument, PeersResult, SCHEMA_VERSION};
use bitmosaic_sim::peers::{Peer, peer_steps};
use bitmosaic_workloads::trace::{LayerTrace, NonFinite, read_trace};

use super::quantize::file_name;
use super::simulate::MAPPING;
use crate::error::CliError;
use crate::{Outcome, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Layer trace (from `bitmosaic quantize --output`)
    #[arg(long, value_name = "FOLDER")]
    trace: PathBuf,
    /// Design whose rows, columns and lanes all have
    #[arg(long, default_value = "mosaic")]
    design: String,
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let machine = load(&arguments.design)?;
    let layers = read_trace(&arguments.trace, NonFinite::Allow)?;
    let layers = layers.iter().map(|layer| of_layer(&machine, layer)).collect();
    let workload = format!("trace {}", file_name(&arguments.trace));
    let provenance = output::provenance(&machine, workload, MAPPING, "peers".to_string(), "none", 0);
    let document = PeersDocument { schema_version: SCHEMA_VERSION, provenance, result: PeersResult { layers } };
    if json {
        output::print_json(&document)?;
    } else {
        output::print_text(&peers_text(&document))?;
    }
    Ok(Outcome::Done)
}

fn of_layer(machine: &Machine, layer: &LayerTrace) -> PeerLayer {
    let (weights, tokens) = (&layer.weights, layer.activations.tokens);
    let (n, k) = (weights.output_channels, weights.input_channels);
    let steps = peer_steps(machine, weights, tokens);
    PeerLayer {
        name: layer.name.clone(),
        shape: [tokens, k, n].map(|size| size as u64),
        weight_type: weights.weight_type.name.to_string(),
        group: weights.group as u64,
        design_steps: design_steps(machine, layer),
        peers: Peer::ALL
            .iter()
            .zip(steps)
            .map(|(peer, steps)| PeerPoint {
                peer: peer.name().to_string(),
                steps: steps.in_step,
                run_ahead_steps: steps.run_ahead,
            })
            .collect(),
    }
}

/// Steps of the design's own PEs, whose terms do not depend on the weights.
fn design_steps(machine: &Machine, layer: &LayerTrace) -> Option<u64> {
    let (weights, tokens) = (&layer.weights, layer.activations.tokens);
    let shape = [tokens, weights.output_channels, weights.input_channels];
    let (name, special) = (weights.weight_type.name, weights.special_values);
    let mut command = matmul_command(machine, name, special, weights.scale_kind, weights.group, shape).ok()?;
    if let Some(array) = &machine.array {
        // The share of one tile.
        command.tokens = command.tokens.div_ceil(array.rows) * machine.tile.rows;
        command.output_channels = command.output_channels.div_ceil(array.columns) * machine.tile.columns;
    }
    Some(TileWalk::new(machine, &command).steps())
}
