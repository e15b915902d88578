//! Columns of the results file.

use bitmosaic_workloads::phase::Phase;

use crate::space::Space;

/// Whether less or more of a column is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less.
    Less,
    /// More.
    More,
}

/// What every row starts with.
pub(crate) const FIRST: [&str; 4] = ["point", "role", "status", "reason"];

/// Of a machine.
pub(crate) const MACHINE: [&str; 4] = ["area_gates", "flip_flops", "ram_bits", "area_um2"];

/// Of a phase; the column's name has the phase in front: `decode:256.seconds`.
pub(crate) const PHASE: [&str; 19] = [
    "cycles",
    "seconds",
    "tokens_per_second",
    "utilization",
    "compute_cycles",
    "stall_operand_cycles",
    "stall_scale_unit_cycles",
    "stall_output_cycles",
    "fill_drain_cycles",
    "wait_operands_cycles",
    "wait_outputs_cycles",
    "vector_cycles",
    "bytes_read",
    "bytes_written",
    "energy_pj",
    "energy_compute_pj",
    "energy_sram_pj",
    "energy_dram_pj",
    "joules_per_token",
];

/// Which way a column is better: less of everything but rates and utilization.
pub fn better(column: &str) -> Better {
    let metric = column.rsplit('.').next().unwrap_or(column);
    if ["tokens_per_second", "utilization"].contains(&metric) { Better::More } else { Better::Less }
}

/// The columns of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Keys that points differ in.
    pub(crate) keys: Vec<String>,
    metrics: Vec<String>,
}

impl Columns {
    pub(crate) fn new(space: &Space, phases: &[Phase]) -> Columns {
        let of_phases = phases.iter().flat_map(|phase| PHASE.map(|metric| format!("{phase}.{metric}")));
        Columns { keys: space.keys(), metrics: MACHINE.map(String::from).into_iter().chain(of_phases).collect() }
    }

    /// All names in order.
    pub(crate) fn names(&self) -> Vec<String> {
        FIRST.map(String::from).into_iter().chain(self.keys.iter().chain(&self.metrics).cloned()).collect()
    }

    /// A column that may hold numbers: a metric or a setting.
    pub(crate) fn can_limit(&self, name: &str) -> bool {
        self.keys.iter().chain(&self.metrics).any(|column| column == name)
    }

    /// What would be right where there is no such column.
    pub(crate) fn expected_limit(&self) -> String {
        let columns: Vec<&str> = self.keys.iter().chain(&self.metrics).map(String::as_str).collect();
        format!("must be one of {}", columns.join(", "))
    }

    /// Metrics of a machine and of all phases.
    pub(crate) fn metric_count(&self) -> usize {
        self.metrics.len()
    }
}
