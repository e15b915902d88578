//! From a row's settings to its cells.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitmosaic_arch::{DesignSpec, Machine, Technology, elaborate};
use bitmosaic_mappings::{Mapping, TimingKey};
use bitmosaic_results::{CostTable, EnergyPj};
use bitmosaic_rtl::area::cost_table;
use bitmosaic_sim::energy::{add, energy};
use bitmosaic_sim::inference::{ModelProgram, Precision, ProgramTiming, ProgramTimings, Timing, programs, timings};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::operation::{LmHead, Operation, Scope, operations};
use bitmosaic_workloads::phase::Phase;
use bitmosaic_workloads::routing::Routing;

use crate::area::{NetlistCost, NetlistKey, netlist_key};
use crate::error::one_line;
use crate::setting::{BuildFor, Settings, design, dram_pj_per_bit, memory, number, precision, text};

/// What is timed once: programs of equal key in equal memories and mappings.
pub(crate) type ProgramKey = (TimingKey, MemoryTiming, Mapping);

/// What is counted once: equal netlists in the same technology, by name.
pub(crate) type AreaKey = (NetlistKey, String);

/// What was found so far, and holds for all points.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) programs: BTreeMap<ProgramKey, ProgramTiming>,
    pub(crate) areas: BTreeMap<AreaKey, NetlistCost>,
}

/// Operations of a model's phase.
#[derive(Debug, Clone)]
pub(crate) struct PhaseWork {
    pub(crate) phase: Phase,
    pub(crate) operations: Arc<Vec<Operation>>,
}

/// The phases of a model with so many sequences.
pub(crate) fn phase_work(model: &str, batch: u32, phases: &[Phase]) -> Result<Vec<PhaseWork>, String> {
    let model = bitmosaic_workloads::model::load(model).map_err(|e| e.to_string())?;
    let scope =
        Scope { batch, lm_head: LmHead::Last, routing: Routing::Uniform { seed: ROUTING_SEED }, quantized_cache: true };
    let work = |phase: &Phase| {
        let steps = phase.steps().into_iter();
        let operations = steps.flat_map(|step| operations(&model, step, &scope)).collect();
        PhaseWork { phase: *phase, operations: Arc::new(operations) }
    };
    Ok(phases.iter().map(work).collect())
}

/// Seed of the choice of experts, that of `simulate`.
const ROUTING_SEED: u64 = 1;

/// Why a row has no numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `no-machine` or `no-fit`.
    pub(crate) status: &'static str,
    pub(crate) reason: String,
}

/// The design does not elaborate.
pub(crate) const NO_MACHINE: &str = "no-machine";
/// The machine cannot run the model.
pub(crate) const NO_FIT: &str = "no-fit";
/// All phases were timed.
pub(crate) const OK: &str = "ok";

fn refusal(status: &'static str) -> impl Fn(&dyn ToString) -> Refusal {
    move |reason| Refusal { status, reason: one_line(&reason.to_string()) }
}

/// A row on its way.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) spec: Option<DesignSpec>,
    pub(crate) ready: Result<Ready, Refusal>,
}

/// A row that can be timed.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) machine: Machine,
    netlist: NetlistKey,
    pub(crate) technology: Technology,
    dram_pj_per_bit: f64,
    pub(crate) memory: MemoryTiming,
    pub(crate) mapping: Mapping,
    batch: u32,
    precision: Precision,
    phases: Vec<(PhaseWork, Vec<ModelProgram>)>,
}

impl Point {
    /// Elaborates the design and turns the phases into programs.
    pub(crate) fn new(settings: &Settings, build_for: BuildFor, work: &[PhaseWork]) -> Point {
        match design(settings, build_for) {
            Ok(spec) => {
                let ready = Ready::new(&spec, settings, work);
                Point { spec: Some(spec), ready }
            }
            Err(error) => Point { spec: None, ready: Err(refusal(NO_MACHINE)(&error)) },
        }
    }
}

impl Ready {
    fn new(spec: &DesignSpec, settings: &Settings, work: &[PhaseWork]) -> Result<Ready, Refusal> {
        let (no_machine, no_fit) = (refusal(NO_MACHINE), refusal(NO_FIT));
        let machine = elaborate(spec, text(settings, "design")).map_err(|e| no_machine(&e))?;
        let precision = precision(settings).map_err(|e| no_fit(&e))?;
        let memory = memory(settings, machine.clock_mhz).map_err(|e| no_fit(&e))?;
        let mapping = Mapping::load(text(settings, "mapping")).map_err(|e| no_fit(&e))?;
        let technology = Technology::load(text(settings, "technology")).map_err(|e| no_fit(&e))?;
        let dram_pj_per_bit = dram_pj_per_bit(settings, &technology).map_err(|e| no_fit(&e))?;
        let mut phases = Vec::new();
        for work in work {
            let programs = programs(&machine, &work.operations, &precision);
            phases.push((work.clone(), programs.map_err(|e| no_fit(&format!("{}: {e}", work.phase)))?));
        }
        let batch = number(settings, "batch").unwrap_or(1);
        let netlist = netlist_key(&machine);
        Ok(Ready { netlist, technology, dram_pj_per_bit, machine, memory, mapping, batch, precision, phases })
    }

    /// Its programs with their keys.
    pub(crate) fn programs(&self) -> impl Iterator<Item = (ProgramKey, &ModelProgram)> {
        let programs = self.phases.iter().flat_map(|(_, programs)| programs);
        programs.map(|program| (self.key_of(program), program))
    }

    fn key_of(&self, program: &ModelProgram) -> ProgramKey {
        (program.key().clone(), self.memory, self.mapping.clone())
    }

    pub(crate) fn area_key(&self) -> AreaKey {
        (self.netlist, self.technology.name.clone())
    }

    /// The numbers of the row, or why there are none; beside them why there is no energy, empty where there is.
    pub(crate) fn metrics(&self, found: &Found) -> Result<(Vec<Option<String>>, String), Refusal> {
        let cost = found.areas.get(&self.area_key());
        let area = cost.map_or_else(|| Err(String::new()), |cost| cost.area.clone());
        let total = cost.map(|cost| cost.total);
        let mut cells: Vec<Option<String>> = vec![
            total.map(|total| total.gate_equivalents().to_string()),
            total.map(|total| total.flip_flops.to_string()),
            total.map(|total| total.ram_bits.to_string()),
            area.as_ref().ok().map(|area| format!("{:?}", area.total)),
        ];
        let costs = area.and_then(|area| {
            cost_table(&self.machine, &area, &self.technology, self.dram_pj_per_bit).map_err(|e| e.to_string())
        });
        for (work, programs) in &self.phases {
            let mut timed = ProgramTimings::new();
            for program in programs {
                let timing = match found.programs.get(&self.key_of(program)) {
                    Some(timing) => *timing,
                    // Only what failed is not there: again, for the error of this machine.
                    None => program
                        .time(&self.machine, self.memory, &self.mapping)
                        .map_err(|e| refusal(NO_FIT)(&format!("{}: {e}", work.phase)))?,
                };
                timed.insert(program.place(), timing);
            }
            let timings = timings(&self.machine, &work.operations, &self.precision, self.memory, &timed);
            cells.extend(self.phase_cells(work, &timings, costs.as_ref().ok()));
        }
        Ok((cells, costs.err().unwrap_or_default()))
    }

    /// In the order of `columns::PHASE`.
    fn phase_cells(&self, work: &PhaseWork, timings: &[Timing], costs: Option<&CostTable>) -> Vec<Option<String>> {
        let (mut cycles, mut vector, mut read, mut written, mut useful) = (0u64, 0u64, 0u64, 0u64, 0u128);
        let mut status = [0u64; 7];
        let mut programs = 0;
        let mut spent = EnergyPj::default();
        for (operation, timing) in work.operations.iter().zip(timings) {
            let n = operation.layers;
            cycles += n * timing.cycles();
            if let Some(costs) = costs {
                add(&mut spent, energy(timing, costs), n);
            }
            match timing {
                Timing::Program(timing) => {
                    programs += n * timing.cycles;
                    status.iter_mut().zip(timing.status_cycles).for_each(|(sum, cycles)| *sum += n * cycles);
                    read += n * timing.bytes_read;
                    written += n * timing.bytes_written;
                    useful += u128::from(n) * timing.useful_terms;
                }
                Timing::Vector(timing) => {
                    vector += n * timing.cycles;
                    read += n * timing.bytes_read;
                    written += n * timing.bytes_written;
                }
            }
        }
        // In the order of `ports::ARRAY_STATUS`; `room` overlaps with the others.
        let [compute, operand, scale_unit, output, operands, outputs, _] = status;
        let fill_drain = programs - compute - operand - scale_unit - output - operands - outputs;
        let seconds = cycles as f64 / (f64::from(self.machine.clock_mhz) * 1e6);
        let tokens = u64::from(work.phase.tokens_out()) * u64::from(self.batch);
        let tiles = self.machine.array.as_ref().map_or(1, |array| u64::from(array.tiles()));
        let offered = u128::from(cycles) * u128::from(tiles * u64::from(self.machine.pes() * self.machine.pe.lanes));
        let real = |value: f64| format!("{value:?}");
        let mut cells: Vec<Option<String>> = vec![
            Some(cycles.to_string()),
            Some(real(seconds)),
            Some(real(tokens as f64 / seconds)),
            Some(real(if offered == 0 { 0.0 } else { useful as f64 / offered as f64 })),
        ];
        let counts = [compute, operand, scale_unit, output, fill_drain, operands, outputs, vector, read, written];
        cells.extend(counts.map(|count| Some(count.to_string())));
        let joules_per_token = spent.total * 1e-12 / tokens as f64;
        let energies = [spent.total, spent.compute, spent.sram, spent.dram, joules_per_token];
        cells.extend(energies.map(|value| costs.map(|_| real(value))));
        cells
    }
}
