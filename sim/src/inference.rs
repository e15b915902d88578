//! A model's forward passes on a whole machine: each product's program on the event-driven engine, each shape once, and the
//! vector unit between them. Operations run one after another, each from memory to memory.

use std::collections::BTreeMap;

use bitmosaic_arch::Machine;
use bitmosaic_mappings::{Events, Mapping, MappingError, Matmul, Start, TimingKey, matmul_command, schedule_array};
use bitmosaic_numerics::{NumericsError, WeightType, weight_type};
use bitmosaic_workloads::operation::{Operand, Operation, Product, Work};
use rayon::prelude::*;

use crate::cycle::array::run_cycles;
use crate::memory::MemoryTiming;
use crate::vector_unit::{self, VectorTiming};

/// Type and group of an operand in the place of weights.
#[derive(Debug, Clone, PartialEq)]
pub struct OperandType {
    /// Type.
    pub weight_type: WeightType,
    /// Input channels a group.
    pub group: usize,
}

impl OperandType {
    /// A type of the registry by name.
    ///
    /// # Errors
    /// A name that the registry does not have.
    pub fn named(name: &str, group: usize) -> Result<OperandType, NumericsError> {
        Ok(OperandType { weight_type: weight_type(name)?.clone(), group })
    }
}

/// How a model's operands are held.
#[derive(Debug, Clone, PartialEq)]
pub struct Precision {
    /// Weights.
    pub weights: OperandType,
    /// Keys and values.
    pub cache: OperandType,
}

impl Precision {
    /// Bits an element takes in the cache, with its share of scales, by whole groups.
    pub fn cache_bits(&self) -> f64 {
        let OperandType { weight_type, group } = &self.cache;
        weight_type.effective_bits_per_weight(*group, *group, weight_type.scale_kind().code_bits(), 16)
    }

    /// How an operand is held.
    pub fn of(&self, operand: Operand) -> &OperandType {
        match operand {
            Operand::Weights => &self.weights,
            Operand::Keys | Operand::Values => &self.cache,
        }
    }
}

/// Products of one shape that run in one program, and what they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProgramTiming {
    /// All cycles.
    pub cycles: u64,
    /// Cycles by cause, in the order of `ports::ARRAY_STATUS`.
    pub status_cycles: [u64; 7],
    /// Bytes from memory.
    pub bytes_read: u64,
    /// Bytes to memory.
    pub bytes_written: u64,
    /// Multiply-accumulate terms of the product itself, without padding.
    pub useful_terms: u128,
    /// What happened in the machine.
    pub events: Events,
}

/// What an operation of a step took, a layer.
#[allow(clippy::large_enum_variant)] // a few hundred of them, copied around
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Its instances as one program.
    Program(ProgramTiming),
    /// One after another on the vector unit: all together.
    Vector(VectorTiming),
}

impl Timing {
    /// All cycles of a layer.
    pub fn cycles(self) -> u64 {
        match self {
            Timing::Program(timing) => timing.cycles,
            Timing::Vector(timing) => timing.cycles,
        }
    }
}

/// Most blocks of outputs (the array's rows x columns) of a program: each is a command or a part of one, about a hundred bytes.
const MOST_BLOCKS: u128 = 1 << 22;

/// Why a model does not run.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// A product does not fit the machine.
    #[error("operation `{operation}`: {cause}")]
    Mapping {
        /// Its name.
        operation: String,
        /// What the mapping says.
        cause: MappingError,
    },
    /// The design has no vector unit, or no array.
    #[error("design `{design}` has no `{section}`: models need a whole machine with a vector unit")]
    Missing {
        /// The design.
        design: String,
        /// What is missing.
        section: &'static str,
    },
    /// More work than is simulated at a time.
    #[error(
        "operation `{operation}`: {blocks} blocks of the array's rows and columns; at most {MOST_BLOCKS} are simulated, so \
         take fewer tokens or sequences"
    )]
    TooLarge {
        /// Its name.
        operation: String,
        /// Blocks of all its instances.
        blocks: u128,
    },
    /// The engine did not come to an end.
    #[error("operation `{operation}`: the engine stopped after {limit} cycles: a bug")]
    Watchdog {
        /// Its name.
        operation: String,
        /// Cycles.
        limit: u64,
    },
}

/// Products of one shape that a machine runs in one program.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelProgram {
    /// Name of the first operation that needs it.
    pub operation: String,
    product: Product,
    matmul: Matmul,
    instances: u64,
    key: TimingKey,
}

/// What programs took, by product and instances.
pub type ProgramTimings = BTreeMap<(Product, u64), ProgramTiming>;

/// The programs of one or many steps, each once.
///
/// # Errors
/// Operations that the machine cannot run, by name.
pub fn programs(
    machine: &Machine,
    operations: &[Operation],
    precision: &Precision,
) -> Result<Vec<ModelProgram>, InferenceError> {
    let missing = |section| InferenceError::Missing { design: machine.name.clone(), section };
    machine.vector_lanes.ok_or_else(|| missing("vector_unit"))?;
    let array = machine.array.as_ref().ok_or_else(|| missing("array"))?;
    let mut shapes: BTreeMap<(Product, u64), &str> = BTreeMap::new();
    for operation in operations {
        if let Work::Product(product) = operation.work {
            let (rows, columns) =
                (product.tokens.div_ceil(array.rows), product.output_channels.div_ceil(array.columns));
            let blocks = u128::from(rows) * u128::from(columns) * u128::from(operation.instances);
            if blocks > MOST_BLOCKS {
                return Err(InferenceError::TooLarge { operation: operation.name.clone(), blocks });
            }
            shapes.entry((product, operation.instances)).or_insert(&operation.name);
        }
    }
    let program = |((product, instances), name): ((Product, u64), &str)| {
        let mapping = |cause| InferenceError::Mapping { operation: name.to_string(), cause };
        let matmul = command(machine, product, precision).map_err(mapping)?;
        let key = TimingKey::new(machine, &matmul, instances).ok_or_else(|| missing("array"))?;
        Ok(ModelProgram { operation: name.to_string(), product, matmul, instances, key })
    };
    shapes.into_iter().map(program).collect()
}

/// Times every operation of one or many steps, in their order; products of the same shape once, on all cores.
///
/// # Errors
/// Operations that the machine cannot run, by name.
pub fn time_operations(
    machine: &Machine,
    operations: &[Operation],
    precision: &Precision,
    timing: MemoryTiming,
    mapping: &Mapping,
) -> Result<Vec<Timing>, InferenceError> {
    let programs = programs(machine, operations, precision)?;
    let timed: Vec<Result<ProgramTiming, InferenceError>> =
        programs.par_iter().map(|program| program.time(machine, timing, mapping)).collect();
    let timed: Vec<ProgramTiming> = timed.into_iter().collect::<Result<_, _>>()?;
    let found: ProgramTimings = programs.iter().map(ModelProgram::place).zip(timed).collect();
    Ok(timings(machine, operations, precision, timing, &found))
}

/// The timings of operations, in their order, given those of their [`programs`]; what is not among them takes no time.
pub fn timings(
    machine: &Machine,
    operations: &[Operation],
    precision: &Precision,
    timing: MemoryTiming,
    programs: &ProgramTimings,
) -> Vec<Timing> {
    let cache_bits = precision.cache_bits();
    let of = |operation: &Operation| match operation.work {
        Work::Product(product) => {
            Timing::Program(programs.get(&(product, operation.instances)).copied().unwrap_or_default())
        }
        Work::Vector(vector) => {
            let one = vector_unit::time(vector, machine.vector_lanes.unwrap_or(1), timing, cache_bits);
            let n = operation.instances;
            Timing::Vector(VectorTiming {
                cycles: one.cycles * n,
                compute_cycles: one.compute_cycles * n,
                operations: one.operations * n,
                bytes_read: one.bytes_read * n,
                bytes_written: one.bytes_written * n,
            })
        }
    };
    operations.iter().map(of).collect()
}

/// The command of a product in the type of its operand.
fn command(machine: &Machine, product: Product, precision: &Precision) -> Result<Matmul, MappingError> {
    let operand = precision.of(product.operand);
    let weight_type = &operand.weight_type;
    let shape = [product.tokens, product.output_channels, product.input_channels].map(|size| size as usize);
    let (special, kind) = (weight_type.special_values(), weight_type.scale_kind());
    matmul_command(machine, weight_type.name, special, kind, operand.group, shape)
}

impl ModelProgram {
    /// What its time depends on, beside the memory.
    pub fn key(&self) -> &TimingKey {
        &self.key
    }

    /// Its place among [`ProgramTimings`].
    pub fn place(&self) -> (Product, u64) {
        (self.product, self.instances)
    }

    /// Its time on the machine that it was made for.
    ///
    /// # Errors
    /// `Mapping` where it does not fit the buffers.
    pub fn time(
        &self,
        machine: &Machine,
        timing: MemoryTiming,
        mapping: &Mapping,
    ) -> Result<ProgramTiming, InferenceError> {
        let operation = || self.operation.clone();
        let missing = || InferenceError::Missing { design: machine.name.clone(), section: "array" };
        let array = machine.array.as_ref().ok_or_else(missing)?;
        let products = vec![self.matmul.clone(); self.instances as usize];
        let schedule = schedule_array(machine, &products, mapping)
            .map_err(|cause| InferenceError::Mapping { operation: operation(), cause })?;
        let program = &schedule.program;
        let start = Start { address: 0, commands: program.commands.len() as u32 };
        let limit = program.cycle_limit(machine, timing.latency);
        let (cycles, status_cycles) = run_cycles(machine, program, start, timing, limit).ok_or_else(missing)?;
        let cycles = cycles.ok_or_else(|| InferenceError::Watchdog { operation: operation(), limit })?;
        let events = program.events(machine);
        Ok(ProgramTiming {
            cycles,
            status_cycles,
            bytes_read: events.read_beats * u64::from(array.beat_bytes()),
            bytes_written: program.bytes_written(),
            events,
            useful_terms: self.product.macs() * u128::from(self.instances) * u128::from(self.matmul.terms),
        })
    }
}
