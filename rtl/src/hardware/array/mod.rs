//! The whole machine: ARCHITECTURE.md, "The whole machine". `sim/src/step/array` is its twin.

mod adapter;
mod buffers;
mod build;
mod bursts;
mod compute;
mod control;
mod core;
mod feeder;
mod fetch;
mod grid;
mod load;
mod queue;
mod store;

pub use control::{CONTROL_BYTES, ControlRegister, control_registers, counters};

use bitmosaic_arch::{Array, COMMAND_QUEUE, FETCH_COMMANDS, Machine, TOKEN_BITS};
use bitmosaic_mappings::field;

use super::parts::{Part, PartsOf};
use crate::netlist::{Design, Module, NetlistError};

/// Bits of a place among a power of two of entries.
fn place_bits(entries: u32) -> u32 {
    entries.ilog2()
}

/// Design with the top module `accelerator`, out of the machine's units, and the parts that its modules outside them are.
pub(super) fn build(
    machine: &Machine,
    array: &Array,
    tile: &Design,
    aligner: Option<&Design>,
) -> Result<(Design, PartsOf), NetlistError> {
    let command_bits = field::COMMAND_BITS;
    let adapters = [command_bits, array.weight_word_bits, 16 * machine.entry_channels]
        .map(|bits| adapter::adapter(array.data_bits, bits));
    let [to_command, to_word, to_entry] = adapters;
    let (to_command, to_word, to_entry) = (to_command?, to_word?, to_entry?);
    let fetched = queue::queue(2 * FETCH_COMMANDS, command_bits)?;
    let commands = queue::queue(COMMAND_QUEUE, command_bits)?;
    let sink_commands = queue::queue(load::SINK_QUEUE, command_bits)?;
    let fetch = fetch::fetch(array, &to_command, &fetched)?;
    let read_bursts = bursts::bursts(array, array.outstanding_reads)?;
    let write_bursts = bursts::bursts(array, array.outstanding_writes)?;
    let parts = load::Parts {
        queue: &commands,
        sink_queue: &sink_commands,
        bursts: &read_bursts,
        words: &to_word,
        entries: &to_entry,
        aligner: aligner.map(Design::top),
    };
    let load = load::load(machine, array, &parts)?;
    let feeder = feeder::feeder(machine, array)?;
    let (grid, hops) = grid::grid(machine, array, tile.top())?;
    let compute = compute::compute(machine, array, &commands, &feeder, &grid)?;
    let lengths = queue::queue(store::LENGTH_QUEUE, bursts::BURST_BITS)?;
    let writes = queue::queue(store::WRITE_QUEUE, store::write_bits(array))?;
    let parts = store::Parts { queue: &commands, bursts: &write_bursts, lengths: &lengths, writes: &writes };
    let store = store::store(machine, array, &parts)?;
    let reads = queue::queue(core::READ_QUEUE, core::read_bits(array))?;
    let weight_buffer = buffers::weight_buffer(machine, array)?;
    let activation_buffer = buffers::activation_buffer(machine, array)?;
    let output_buffer = buffers::output_buffer(machine, array)?;
    let parts = core::Parts {
        fetch: &fetch,
        load: &load,
        compute: &compute,
        store: &store,
        reads: &reads,
        weight_buffer: &weight_buffer,
        activation_buffer: &activation_buffer,
        output_buffer: &output_buffer,
    };
    let core = core::core(machine, array, &parts)?;
    let top = control::accelerator(machine, array, &core)?;
    let of = |module: &Module, part| (module.name.clone(), part);
    let control = [&compute, &weight_buffer, &activation_buffer, &output_buffer];
    let mut parts = vec![of(&top, Part::Dma), of(&grid, Part::Queues)];
    parts.extend(control.map(|module| of(module, Part::Control)));
    let mut modules = hops;
    modules.extend([to_command, to_word, to_entry, fetched, commands, sink_commands, fetch, read_bursts, write_bursts]);
    modules.extend([load, feeder, grid, compute, lengths, writes, store, reads]);
    modules.extend([weight_buffer, activation_buffer, output_buffer, core]);
    modules.extend(tile.modules_in_order().iter().cloned());
    modules.extend(aligner.iter().flat_map(|aligner| aligner.modules_in_order().iter().cloned()));
    Ok((Design::new(top, modules)?, parts))
}
