//! Makes a failing case of a whole machine smaller for as long as it fails.

use bitmosaic_arch::{DesignSpec, elaborate};
use bitmosaic_numerics::QuantizedMatrix;
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::trace::{Activations, LayerTrace};

use crate::CosimError;
use crate::array::ArrayCase;

/// What a case of a whole machine is made from.
#[derive(Debug, Clone)]
pub struct ArrayPlan {
    /// The design.
    pub design: DesignSpec,
    /// The layers.
    pub layers: Vec<LayerTrace>,
    /// The memory's behaviour.
    pub timing: MemoryTiming,
    /// Seed of state that powers up unknown.
    pub state_seed: u64,
}

impl ArrayPlan {
    /// The case.
    ///
    /// # Errors
    /// A design or layers that do not pass their checks.
    pub fn case(&self) -> Result<ArrayCase, CosimError> {
        let machine = elaborate(&self.design, "design")?;
        ArrayCase::new(machine, self.layers.clone(), self.timing, self.state_seed)
    }
}

/// The smallest plan that still fails, by steps each of which does: fewer layers, tokens and channels, a simpler memory, fewer
/// tiles, smaller buffers and bursts. `fails` may plant a fault before it runs the case.
pub fn shrink(plan: ArrayPlan, fails: &mut dyn FnMut(ArrayCase) -> bool) -> ArrayPlan {
    let mut smallest = plan;
    loop {
        // What cannot be built is no candidate.
        let smaller = candidates(&smallest).into_iter().find(|plan| plan.case().is_ok_and(&mut *fails));
        match smaller {
            Some(plan) => smallest = plan,
            None => return smallest,
        }
    }
}

/// Plans that are smaller in one thing, the largest steps first.
fn candidates(plan: &ArrayPlan) -> Vec<ArrayPlan> {
    let mut all = Vec::new();
    let with_layers = |layers: Vec<LayerTrace>| ArrayPlan { layers, ..plan.clone() };
    if plan.layers.len() > 1 {
        for i in 0..plan.layers.len() {
            let mut layers = plan.layers.clone();
            layers.remove(i);
            all.push(with_layers(layers));
        }
    }
    for (i, layer) in plan.layers.iter().enumerate() {
        let mut replace = |smaller: LayerTrace| {
            let mut layers = plan.layers.clone();
            layers[i] = smaller;
            all.push(with_layers(layers));
        };
        let [tokens, n, k] = [layer.activations.tokens, layer.weights.output_channels, layer.weights.input_channels];
        for tokens in smaller(tokens) {
            layer.first(n, tokens).into_iter().for_each(&mut replace);
        }
        for n in smaller(n) {
            layer.first(n, tokens).into_iter().for_each(&mut replace);
        }
        smaller(k).into_iter().for_each(|k| replace(first_input_channels(layer, k)));
    }
    let timing = plan.timing;
    let simple = [
        MemoryTiming { threshold: 0, ..timing },
        MemoryTiming { latency: 1, ..timing },
        MemoryTiming { bytes_per_cycle: MemoryTiming::FAST.bytes_per_cycle, ..timing },
        MemoryTiming { outstanding: MemoryTiming::FAST.outstanding, ..timing },
    ];
    let simple = simple.into_iter().filter(|simple| *simple != timing);
    all.extend(simple.map(|timing| ArrayPlan { timing, ..plan.clone() }));
    all.extend(designs(&plan.design).into_iter().map(|design| ArrayPlan { design, ..plan.clone() }));
    all
}

/// Half, and one less.
fn smaller(size: usize) -> Vec<usize> {
    let mut sizes = vec![size / 2, size - 1];
    sizes.retain(|smaller| *smaller > 0);
    sizes.dedup();
    sizes
}

fn designs(design: &DesignSpec) -> Vec<DesignSpec> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut DesignSpec) -> Option<&mut u32>, least: u32| {
        let mut smaller = design.clone();
        if let Some(field) = change(&mut smaller).filter(|field| **field > least) {
            *field /= 2;
            all.push(smaller);
        }
    };
    with(&|d| d.array.as_mut().map(|a| &mut a.down), 1);
    with(&|d| d.array.as_mut().map(|a| &mut a.across), 1);
    with(&|d| d.buffers.as_mut().map(|b| &mut b.chunks_per_entry), 1);
    with(&|d| d.buffers.as_mut().map(|b| &mut b.weight_chunks), 2);
    with(&|d| d.buffers.as_mut().map(|b| &mut b.activation_chunks), 2);
    with(&|d| d.buffers.as_mut().map(|b| &mut b.groups), 2);
    with(&|d| d.buffers.as_mut().map(|b| &mut b.blocks), 2);
    with(&|d| d.memory.as_mut().map(|m| &mut m.data_bits), 16);
    with(&|d| d.memory.as_mut().map(|m| &mut m.burst_beats), 1);
    with(&|d| d.memory.as_mut().map(|m| &mut m.outstanding_reads), 1);
    with(&|d| d.memory.as_mut().map(|m| &mut m.outstanding_writes), 1);
    for i in 0..if design.weights.types.len() > 1 { design.weights.types.len() } else { 0 } {
        let mut fewer = design.clone();
        fewer.weights.types.remove(i);
        all.push(fewer);
    }
    all
}

/// A layer cut to its first input channels.
fn first_input_channels(layer: &LayerTrace, k: usize) -> LayerTrace {
    let old = &layer.weights;
    let (groups, kept) = (old.groups(), k.div_ceil(old.group));
    fn rows<T: Copy>(values: &[T], width: usize, kept: usize) -> Vec<T> {
        values.chunks(width).flat_map(|row| row[..kept].iter().copied()).collect()
    }
    let weights = QuantizedMatrix {
        input_channels: k,
        codes: rows(&old.codes, old.input_channels, k),
        selectors: rows(&old.selectors, groups, kept),
        zero_points: rows(&old.zero_points, groups, kept),
        scales: rows(&old.scales, groups, kept),
        ..old.clone()
    };
    let values = rows(&layer.activations.values, old.input_channels, k);
    LayerTrace {
        name: layer.name.clone(),
        weights,
        activations: Activations { tokens: layer.activations.tokens, input_channels: k, values },
    }
}
