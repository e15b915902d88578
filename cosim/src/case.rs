use bitmosaic_arch::Machine;
use bitmosaic_mappings::{Lowered, MappingError, OutputBeat, Stalls, TileWalk, lower, read_bits};
use bitmosaic_numerics::f16;
use bitmosaic_rtl::hardware::{Units, build};
use bitmosaic_workloads::trace::LayerTrace;

use crate::CosimError;

/// A program on a machine, ready for every engine.
#[derive(Debug, Clone)]
pub struct Case {
    /// The machine.
    pub machine: Machine,
    /// Its hardware; a fault list rewrites it.
    pub units: Units,
    /// The layers.
    pub layers: Vec<LayerTrace>,
    /// Program and operands.
    pub lowered: Lowered,
    /// How streams stall.
    pub stalls: Stalls,
    /// Seed of state that powers up unknown.
    pub state_seed: u64,
}

/// Outputs of a layer, `[tokens, output_channels]`.
pub type Outputs = Vec<f16>;

impl Case {
    /// Lowers the layers for the machine and builds its hardware.
    ///
    /// # Errors
    /// `Mapping` for layers the machine cannot run.
    pub fn new(machine: Machine, layers: Vec<LayerTrace>, stalls: Stalls, state_seed: u64) -> Result<Case, CosimError> {
        let operands: Vec<_> = layers.iter().map(|l| (&l.weights, &l.activations.values[..])).collect();
        let lowered = lower(&machine, &operands)?;
        let units = build(&machine)?;
        Ok(Case { machine, units, layers, lowered, stalls, state_seed })
    }

    /// Output values of the program, padding excluded.
    pub fn real_outputs(&self) -> usize {
        self.layers.iter().map(|l| l.activations.tokens * l.weights.output_channels).sum()
    }

    /// Upper bound of the cycles of either unit: every beat of every stream alone, stretched by the worst gates, and
    /// every slot of every group. A run that reaches it hangs.
    pub fn cycle_limit(&self) -> u64 {
        let stretch = |threshold: u8| 256 / (256 - u64::from(threshold)) + 1;
        let walks = self.lowered.program.matmuls().map(|m| (m, TileWalk::new(&self.machine, m)));
        let work: u64 = walks
            .map(|(m, walk)| {
                let chunks = (walk.pass_count() * walk.chunks()) as u64 * u64::from(m.terms);
                let slots = (walk.pass_count() * walk.groups()) as u64 * u64::from(self.machine.scale_unit.slots);
                chunks + slots + (m.tokens as u64 * walk.chunks() as u64) * 2 + 100
            })
            .sum();
        let stretch = stretch(self.stalls.input_threshold) * stretch(self.stalls.output_threshold);
        work * stretch * 8 + 10_000
    }

    /// Sorts output beats into layers.
    ///
    /// # Errors
    /// `Field` if beats are missing.
    pub fn outputs(&self, beats: &[OutputBeat]) -> Result<Vec<Outputs>, MappingError> {
        let mut outputs = Vec::new();
        let mut first = 0;
        for (layer, matmul) in self.layers.iter().zip(self.lowered.program.matmuls()) {
            let walk = TileWalk::new(&self.machine, matmul);
            let channels = layer.weights.output_channels;
            let mut values = vec![f16::ZERO; layer.activations.tokens * channels];
            let count = walk.output_beats(&self.machine);
            let Some(own) = beats.get(first..first + count) else {
                return Err(MappingError::Field {
                    field: "output beats".into(),
                    found: beats.len().to_string(),
                    expected: format!("the program gives {} by here", first + count),
                });
            };
            first += count;
            for (index, beat) in own.iter().enumerate() {
                for unit in 0..self.machine.scale_unit.units {
                    let Some(place) = walk.output_place(&self.machine, index, unit as usize) else { continue };
                    if place.real {
                        let bits = read_bits(&beat.data, unit * 16, 16) as u16;
                        values[place.token * channels + place.output_channel] = f16::from_bits(bits);
                    }
                }
            }
            outputs.push(values);
        }
        Ok(outputs)
    }
}
