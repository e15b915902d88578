//! The page that goes with the Verilog of a whole machine: how to run it, ports, registers, commands, memory images, buffers.
//! Everything on it is read from the machine, the netlist and the tables that the hardware is built from.

use std::fmt::Write as _;

use bitmosaic_arch::{ADDRESS_BITS, Array, BURST_BOUNDARY_BYTES, COMMAND_QUEUE, FETCH_COMMANDS, Machine};
use bitmosaic_mappings::{COMMAND_BYTES, field, ports};

use super::bundle::{Vectors, constraint_mhz};
use super::readme::{parameters, range, table, types};
use super::wrapper::{FEW_PINS, WRAPPER, bare_name};
use crate::hardware::array::control_registers;
use crate::netlist::{Design, ModulePort};

/// Text of `README.md` beside the Verilog of `design`, the whole machine.
pub(super) fn array_readme(machine: &Machine, array: &Array, design: &Design, vectors: &Vectors) -> String {
    let mut text = format!(
        "# Design {}\n\n{}.\n\nWritten by bitmosaic from one description, design SHA-256 `{}`; do not edit. Top module: \
         `{WRAPPER}`, {} tiles behind an AXI4-Lite control port, an AXI4 memory port of {} bits and an interrupt. One clock, \
         rising edge; `aresetn` is synchronous and resets control only: data registers power up unknown and no unknown bit \
         reaches a handshake or an offered beat. No output depends on an input within a cycle. `tile.md` describes the tile \
         and the aligner inside.\n\n",
        machine.name,
        machine.summary,
        machine.design_sha256,
        array.tiles(),
        array.data_bits,
    );
    files(&mut text, machine, vectors);
    parameters(&mut text, machine);
    array_parameters(&mut text, array);
    types(&mut text, machine);
    port_table(&mut text, design);
    registers(&mut text);
    axi(&mut text, array);
    commands(&mut text, machine);
    images(&mut text, machine, array);
    buffers(&mut text, machine, array);
    text
}

fn files(text: &mut String, machine: &Machine, vectors: &Vectors) {
    let mhz = constraint_mhz(machine);
    let _ = writeln!(
        text,
        "## Files and flows\n\n\
         - `files.f` lists the Verilog, leaves first. `bitmosaic.core` is the FuseSoC core: targets `lint`, `sim`, `vivado`, \
         `ecp5`.\n\
         - `make icarus` and `make verilator` run the program in `vectors/` on `sim/testbench.v`, which has a memory, a host and \
         a checker of the AXI4 rules, and compare every burst, write beat, retirement and counter, with its cycle, with \
         `vectors/expected.txt`. {} `memory.hex` has {} beats, the run {} cycles.\n\
         - `make cocotb` runs `cocotb/test_bitmosaic.py` in Icarus (`pip install cocotb cocotbext-axi`): the same program from an \
         AXI4-Lite master and an AXI4 memory, memory and counters compared.\n\
         - Vivado: `vivado -mode batch -source build.tcl -tclargs PART` implements the machine out of context, \
         `package_ip.tcl` makes an IP of it with its register map.\n\
         - ECP5, open tools: the ports exceed the pins, so `ecp5/{FEW_PINS}.v` puts them behind four:\n\n\
         ```\n\
         yosys -p \"read_verilog $(tr '\\n' ' ' <files.f) ecp5/{FEW_PINS}.v; synth_ecp5 -top {FEW_PINS} -json build.json\"\n\
         nextpnr-ecp5 --85k --package CABGA381 --json build.json --lpf bitmosaic.lpf --lpf-allow-unconstrained\n\
         ```\n\n\
         The constraints (`bitmosaic.xdc`, `bitmosaic.lpf`) hold a clock of {mhz} MHz and nothing else: the design's {} MHz, \
         at most 100 MHz. Change it there for your chip.\n",
        vectors.summary, vectors.memory_beats, vectors.cycles, machine.clock_mhz,
    );
}

fn array_parameters(text: &mut String, array: &Array) {
    let rows = [
        ("tiles down (tokens)", array.down),
        ("tiles across (output channels)", array.across),
        ("rows of the array", array.rows),
        ("columns of the array", array.columns),
        ("bits of a weight word", array.weight_word_bits),
        ("bits of a beat of the memory port", array.data_bits),
        ("beats of the longest operand or output burst", array.burst_beats),
        ("operand bursts on their way", array.outstanding_reads),
        ("output bursts on their way", array.outstanding_writes),
        ("commands that each of the queues load, compute, store holds", COMMAND_QUEUE),
    ];
    text.push_str("## Parameters of the array\n\n");
    table(text, "parameter | value", rows.into_iter().map(|(name, value)| vec![name.into(), value.to_string()]));
}

fn port_table(text: &mut String, design: &Design) {
    let top = design.top();
    let _ = writeln!(text, "## Ports of `{WRAPPER}`\n");
    let row = |name: &str, direction: &str, width: u32, doc: &str| {
        vec![format!("`{name}`"), direction.to_string(), width.to_string(), doc.replace('\n', " ")]
    };
    let of = |direction: &'static str, port: &ModulePort| {
        row(bare_name(&port.name), direction, top.shape(port.net).width, &port.doc)
    };
    let mut rows = vec![
        row("aclk", "input", 1, "clock of everything"),
        row("aresetn", "input", 1, "synchronous reset, active low, at least two cycles"),
    ];
    rows.extend(top.inputs.iter().map(|port| of("input", port)));
    rows.extend(top.outputs.iter().map(|port| of("output", port)));
    table(text, "port | direction | bits | meaning", rows);
}

fn registers(text: &mut String) {
    text.push_str(
        "## Registers\n\nAXI4-Lite, 32 bits; a register is written whole, a write with fewer strobes is answered and ignored, as \
         is one to a register that cannot be written. Everything but `design` is 0 after reset.\n\n",
    );
    let rows = control_registers().into_iter().map(|register| {
        vec![format!("0x{:02x}", register.address), format!("`{}`", register.name), register.doc.clone()]
    });
    table(text, "offset | register | meaning", rows);
    let _ = writeln!(
        text,
        "To run a program: put it and its operands into memory; write `program_address_low`, `program_address_high`, \
         `program_commands`, `interrupt_enable`; write 1 to `start`; wait for `irq` or poll `status`; clear `interrupt`; \
         read `status` and the counters, which start again with each program. After an error all requests stop, what is on its \
         way finishes, and the machine wants a reset. Status bits of the counters and of the port `status`, lowest first: {}.\n",
        ports::ARRAY_STATUS.map(|name| format!("`{name}`")).join(", ")
    );
}

fn axi(text: &mut String, array: &Array) {
    let bytes = array.beat_bytes();
    let _ = writeln!(
        text,
        "## The AXI4 subset\n\n\
         - Addresses of {ADDRESS_BITS} bits. Bursts are INCR, of whole beats of {bytes} bytes, aligned to a beat, never across \
         {BURST_BOUNDARY_BYTES} bytes.\n\
         - Reads: identifier 0 fetches commands, {FETCH_COMMANDS} at a time ({} beats, fewer at the end); identifier 1 loads \
         operands, at most {} beats a burst, at most {} bursts on their way. Data of one identifier come in order; the two may \
         be interleaved.\n\
         - Writes: identifier 0, at most {} beats a burst, at most {} bursts on their way; strobes leave out the bytes behind the \
         last value of a row. The address of a burst never waits for its data, and no data come before their address is offered. \
         `bready` is always high, `bid` is not looked at.\n\
         - An offered address or beat stays, unchanged, until it is taken. SLVERR and DECERR end the program with an error.\n\
         - There are no lock, cache, protection, quality-of-service or region signals: tie them off at the interconnect. Reads and \
         writes to the same addresses are ordered by commands only.\n",
        (FETCH_COMMANDS * field::COMMAND_BITS).div_ceil(array.data_bits),
        array.burst_beats,
        array.outstanding_reads,
        array.burst_beats,
        array.outstanding_writes,
    );
}

fn commands(text: &mut String, machine: &Machine) {
    let _ = writeln!(
        text,
        "## Commands\n\nA program is a run of commands of {COMMAND_BYTES} bytes, little-endian, at a multiple of {} bytes, closed \
         by `end`. Bits in no field are 0. M, N and K are below 2^{}; the group is at most {} and a multiple of {}. Loads go to \
         the queue load, `matmul` to compute, `store` to store; each queue works in order, and tokens order them across queues: \
         a command with a wait flag starts when it has got a token of that neighbour, one with a give flag gives one when it is \
         done.\n",
        FETCH_COMMANDS as usize * COMMAND_BYTES,
        field::DIMENSION_BITS,
        machine.max_group,
        machine.entry_channels,
    );
    for format in field::COMMANDS {
        let _ = writeln!(text, "### `{}`, opcode {}\n\n{}.\n", format.name, format.opcode, first_upper(format.meaning));
        let rows = format
            .fields
            .iter()
            .map(|(name, (low, bits), meaning)| vec![range(*low, *bits), format!("`{name}`"), (*meaning).to_string()]);
        table(text, "bits | field | meaning", rows);
    }
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn images(text: &mut String, machine: &Machine, array: &Array) {
    let (columns, lanes, entry) = (array.columns, machine.pe.lanes, machine.entry_channels);
    let _ = writeln!(
        text,
        "## Memory images\n\nLittle-endian bytes; every command, operand and row starts at a multiple of {} bytes.\n\n\
         **Activations, outputs.** FP16 rows, a token each, `pitch` bytes from row to row. A row of activations is read in whole \
         entries of {entry} values and whole beats: fill it up with zeros.\n\n\
         **Weights.** Column block by column block ({columns} output channels), a run of weight words of {} bits, the last filled \
         up to a beat. Of each column block, lowest bits first:\n",
        array.beat_bytes(),
        array.weight_word_bits,
    );
    let zero_point = match machine.zero_point_bits {
        0 => String::new(),
        bits => format!(", zero point ({bits} bits, two's complement)"),
    };
    let rows = [
        ("channel scales", array.channel_words.to_string(), format!("FP16 of each of the {columns} columns")),
        (
            "then of each group: its record",
            array.record_words.to_string(),
            format!(
                "per column, lowest first: scale code ({} bits){zero_point}, selector of the special value (2 bits)",
                machine.scale_code_bits
            ),
        ),
        (
            "then of each entry of the group",
            "code bits of the type".to_string(),
            match machine.entry_chunks() {
                1 => format!("word i: bit i of the codes, {lanes} lanes of column 0, then of column 1 and so on"),
                chunks => format!(
                    "word i: bit i of the codes; of the first of {chunks} chunks {lanes} lanes of column 0, then of column 1 \
                     and so on, then of the next chunk"
                ),
            },
        ),
    ];
    table(text, "part | words | content", rows.map(|(part, words, content)| vec![part.into(), words, content]));
    let scales: Vec<String> =
        machine.scale_kinds.iter().map(|kind| format!("{} for `{}`", kind.padding_code(), kind.name())).collect();
    let _ = writeln!(
        text,
        "Channels and lanes beyond the real ones hold the code of 0, scale code {}, zero point, selector and channel scale 0.\n",
        scales.join(", ")
    );
}

fn buffers(text: &mut String, machine: &Machine, array: &Array) {
    let row = |name: &str, depth: String, bytes: u64| vec![name.to_string(), depth, bytes.to_string()];
    let mut activations = format!("{} entries of {} values a row", array.activation_entries, machine.entry_channels);
    if array.exponent_entry_bits.is_some() {
        let _ = write!(activations, ", exponents of {} groups a row", array.groups);
    }
    let rows = [
        row(
            "weights",
            format!(
                "{} entries, {} records, channel scales of {} blocks",
                array.weight_entries, array.groups, array.blocks
            ),
            array.weight_buffer_bytes(machine),
        ),
        row("activations", activations, array.activation_buffer_bytes(machine)),
        row(
            "outputs",
            format!("{} passes of {} x {}", array.blocks, array.rows, array.columns),
            array.output_buffer_bytes(),
        ),
    ];
    text.push_str("## Buffers\n\nEvery buffer has two halves, which commands name.\n\n");
    table(text, "buffer | depth of a half | bytes, both halves", rows);
}
