//! Which part of a machine a module is: areas are told part by part.

use std::collections::BTreeMap;

use super::Units;
use crate::cost::{TotalCost, module_costs};
use crate::netlist::Design;

/// A part of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Processing elements.
    ProcessingElements,
    /// Term generators.
    TermGenerators,
    /// Operand registers and decoders of FP16.
    Operands,
    /// Scale units with their decoders, control of the hold chains.
    ScaleUnits,
    /// Output stages.
    OutputStages,
    /// Aligner.
    Aligner,
    /// Queues between the tiles.
    Queues,
    /// Control of the tiles, feeder, logic around the buffers.
    Control,
    /// Command fetch, load, store, memory and control port.
    Dma,
}

/// Modules by name with their parts.
pub(super) type PartsOf = Vec<(String, Part)>;

impl Units {
    /// Resources by part; those of the whole machine where there is one.
    pub fn parts(&self) -> BTreeMap<Part, TotalCost> {
        let mut sums = BTreeMap::new();
        match &self.array {
            Some(array) => self.add(array, &mut sums),
            None => self.designs().for_each(|design| self.add(design, &mut sums)),
        }
        sums
    }

    fn add(&self, design: &Design, sums: &mut BTreeMap<Part, TotalCost>) {
        let modules = design.modules_in_order();
        let position: BTreeMap<&str, usize> = modules.iter().enumerate().map(|(i, m)| (m.name.as_str(), i)).collect();
        let named: BTreeMap<&str, Part> = self.parts.iter().map(|(name, part)| (name.as_str(), *part)).collect();
        // A module may be in several parts: instances by part, from the top down.
        let mut instances: Vec<BTreeMap<Part, u64>> = vec![BTreeMap::new(); modules.len()];
        let top = modules.len() - 1;
        instances[top].insert(named.get(modules[top].name.as_str()).copied().unwrap_or(Part::Dma), 1);
        for parent in (0..modules.len()).rev() {
            let own = instances[parent].clone();
            for instance in &modules[parent].instances {
                let Some(child) = position.get(instance.module.as_str()) else { continue };
                for (part, count) in &own {
                    let part = named.get(instance.module.as_str()).copied().unwrap_or(*part);
                    *instances[*child].entry(part).or_default() += count;
                }
            }
        }
        for (module, counts) in modules.iter().zip(instances) {
            let one = module_costs(module);
            for (part, count) in counts {
                let sum = sums.entry(part).or_default();
                *sum = TotalCost {
                    cells: sum.cells + count * one.cells,
                    flip_flops: sum.flip_flops + count * one.flip_flops,
                    ram_bits: sum.ram_bits + count * one.ram_bits,
                };
            }
        }
    }
}
