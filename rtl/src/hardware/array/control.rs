//! The control port: AXI4-Lite registers around the core, counters and interrupt.

use bitmosaic_arch::{ADDRESS_BITS, Array, Machine};
use bitmosaic_mappings::ports;

use super::build::{add_const, and_not, is};
use super::fetch::PROGRAM_BITS;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Bits of a byte address of the control port.
const CONTROL_ADDRESS_BITS: u32 = 8;
/// Bytes of the register map.
pub const CONTROL_BYTES: u32 = 1 << CONTROL_ADDRESS_BITS;
/// Bits of a counter.
const COUNTER_BITS: u32 = 48;
/// First counter; each has a low and a high word.
const COUNTERS: u32 = 0x40;

/// A register of the control port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlRegister {
    /// Byte address.
    pub address: u32,
    /// Name.
    pub name: String,
    /// What it means.
    pub doc: String,
}

/// Counters, in order: the cycles of the program, the beats moved, and the status bits of the machine.
pub fn counters() -> Vec<(String, String)> {
    let own = [
        ("cycles", "cycles of the last program, from the edge that takes START to the one that sets done"),
        ("read_beats", "beats read from memory"),
        ("write_beats", "beats written to memory"),
    ];
    let own = own.map(|(name, doc)| (name.to_string(), doc.to_string()));
    let status = ports::ARRAY_STATUS.map(|name| (name.to_string(), format!("cycles with status bit `{name}`")));
    own.into_iter().chain(status).collect()
}

const START: u32 = 0x00;
const STATUS: u32 = 0x04;
const INTERRUPT_ENABLE: u32 = 0x08;
const INTERRUPT: u32 = 0x0C;
const PROGRAM_LOW: u32 = 0x10;
const PROGRAM_HIGH: u32 = 0x14;
const COMMANDS: u32 = 0x18;
const DESIGN: u32 = 0x3C;

/// The register map.
pub fn control_registers() -> Vec<ControlRegister> {
    let mut map: Vec<(u32, String, String)> = [
        (START, "start", "write 1: the program starts, if none runs and no error is pending"),
        (STATUS, "status", "bit 0 running, bit 1 done, bits 5:4 error: 1 read response, 2 write response, 3 opcode"),
        (INTERRUPT_ENABLE, "interrupt_enable", "bit 0: `irq` follows the pending bit"),
        (INTERRUPT, "interrupt", "bit 0: a program has ended; write 1 to clear"),
        (PROGRAM_LOW, "program_address_low", "byte address of the program, a multiple of 128, bits 31:0"),
        (PROGRAM_HIGH, "program_address_high", "its bits 47:32"),
        (COMMANDS, "program_commands", "commands of the program, `end` included"),
        (DESIGN, "design", "first 32 bits of the design's SHA-256"),
    ]
    .map(|(address, name, doc)| (address, name.to_string(), doc.to_string()))
    .into();
    for (i, (name, doc)) in counters().into_iter().enumerate() {
        let address = COUNTERS + 8 * i as u32;
        map.push((address, format!("{name}_low"), format!("{doc}, bits 31:0")));
        map.push((address + 4, format!("{name}_high"), "its bits 47:32".to_string()));
    }
    map.into_iter().map(|(address, name, doc)| ControlRegister { address, name, doc }).collect()
}

/// Module `accelerator`: the core behind an AXI4-Lite and an AXI4 port.
pub(super) fn accelerator(machine: &Machine, array: &Array, core: &Module) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "accelerator",
        &format!(
            "Design {}: AXI4-Lite control and status, AXI4 memory port of {} bits, interrupt.\n\
             Every output is a function of registers alone.",
            machine.name, array.data_bits
        ),
    );
    let lite = |m: &mut ModuleBuilder, name: &str, bits: u32, doc: &str| {
        m.input(&format!("s_axi_control_{name}_i"), bits, doc)
    };
    let aw_address = lite(&mut m, "awaddr", CONTROL_ADDRESS_BITS, "byte address of a register");
    let aw_valid = lite(&mut m, "awvalid", 1, "a write address is offered");
    let w_data = lite(&mut m, "wdata", 32, "value to write");
    let w_strobe = lite(&mut m, "wstrb", 4, "its bytes; a register is written whole");
    let w_valid = lite(&mut m, "wvalid", 1, "a value is offered");
    let b_ready = lite(&mut m, "bready", 1, "the write response is taken");
    let ar_address = lite(&mut m, "araddr", CONTROL_ADDRESS_BITS, "byte address of a register");
    let ar_valid = lite(&mut m, "arvalid", 1, "a read address is offered");
    let r_ready = lite(&mut m, "rready", 1, "the value is taken");

    // A write happens when address and value are held and the last response is gone.
    let hold = |m: &mut ModuleBuilder, name: &str, valid: Net, data: Net, leaves: Net| {
        let held = m.register(&format!("{name}_held_q"), 1, false, "held until the access happens");
        let free = m.not(held);
        let takes = m.and(valid, free);
        let changes = m.or(takes, leaves);
        m.drive(held, takes, Some(changes), Some(0));
        let data = m.reg(&format!("{name}_q"), data, Some(takes), None, "the held value");
        (held, free, data)
    };
    let write = m.wire("write", 1, "a register is written");
    let (aw_held, aw_ready, aw_address) = hold(&mut m, "aw", aw_valid, aw_address, write);
    let value = m.concat(&[w_data, w_strobe]);
    let (w_held, w_ready, value) = hold(&mut m, "w", w_valid, value, write);
    let b_valid = m.register("b_valid_q", 1, false, "a write response is offered");
    let no_response = m.not(b_valid);
    let writes = m.and_all(&[aw_held, w_held, no_response]);
    m.assign(write, writes);
    let answered = m.and(b_valid, b_ready);
    let changes = m.or(write, answered);
    m.drive(b_valid, write, Some(changes), Some(0));
    let read = m.wire("read", 1, "a register is read");
    let (ar_held, ar_ready, ar_address) = hold(&mut m, "ar", ar_valid, ar_address, read);
    let r_valid = m.register("r_valid_q", 1, false, "a value is offered");
    let no_value = m.not(r_valid);
    let reads = m.and(ar_held, no_value);
    m.assign(read, reads);
    let answered = m.and(r_valid, r_ready);
    let changes = m.or(read, answered);
    m.drive(r_valid, read, Some(changes), Some(0));

    let data = m.slice(value, 0, 32);
    let strobes = m.slice(value, 32, 4);
    let whole = is(&mut m, strobes, 15);
    let writes_whole = m.and(write, whole);
    let writes_to = |m: &mut ModuleBuilder, address: u32| {
        let own = m.slice(aw_address, 2, CONTROL_ADDRESS_BITS - 2);
        let own = is(m, own, u64::from(address / 4));
        m.and(writes_whole, own)
    };
    let set = |m: &mut ModuleBuilder, name: &str, address: u32, bits: u32, doc: &str| {
        let enable = writes_to(m, address);
        let value = m.slice(data, 0, bits);
        m.reg(name, value, Some(enable), Some(0), doc)
    };
    let enable = set(&mut m, "interrupt_enable_q", INTERRUPT_ENABLE, 1, "the interrupt is enabled");
    let low = set(&mut m, "program_low_q", PROGRAM_LOW, 32, "program address, low");
    let high = set(&mut m, "program_high_q", PROGRAM_HIGH, ADDRESS_BITS - 32, "program address, high");
    let commands = set(&mut m, "program_commands_q", COMMANDS, PROGRAM_BITS, "commands of the program");
    let first_bit = m.bit(data, 0);
    let start = writes_to(&mut m, START);
    let start = m.and(start, first_bit);
    let start = m.name(start, "start", "START is written");

    // The core.
    let memory =
        |m: &mut ModuleBuilder, name: &str, bits: u32, doc: &str| m.input(&format!("m_axi_{name}_i"), bits, doc);
    let ar_taken = memory(&mut m, "arready", 1, "the read address is taken");
    let r_id = memory(&mut m, "rid", 1, "identifier of the read beat");
    let r_data = memory(&mut m, "rdata", array.data_bits, "read data");
    let r_response = memory(&mut m, "rresp", 2, "read response");
    let r_last = memory(&mut m, "rlast", 1, "last beat of the burst");
    let r_offered = memory(&mut m, "rvalid", 1, "a read beat is offered");
    let aw_taken = memory(&mut m, "awready", 1, "the write address is taken");
    let w_taken = memory(&mut m, "wready", 1, "the write beat is taken");
    let b_id = memory(&mut m, "bid", 1, "identifier of the response: there is one writer, it is not looked at");
    let b_response = memory(&mut m, "bresp", 2, "write response");
    let b_offered = memory(&mut m, "bvalid", 1, "a write response is offered");
    let r_bad = m.bit(r_response, 1);
    let b_bad = m.bit(b_response, 1);
    m.ignore(r_response);
    m.ignore(b_response);
    m.ignore(b_id);
    let program = m.concat(&[low, high]);
    let core = m.instance(
        "u_core",
        core,
        &[
            ("start_i", start),
            ("program_address_i", program),
            ("program_commands_i", commands),
            ("ar_ready_i", ar_taken),
            ("r_valid_i", r_offered),
            ("r_data_i", r_data),
            ("r_id_i", r_id),
            ("r_last_i", r_last),
            ("r_error_i", r_bad),
            ("aw_ready_i", aw_taken),
            ("w_ready_i", w_taken),
            ("b_valid_i", b_offered),
            ("b_error_i", b_bad),
        ],
    );
    let (running, over) = (core.get("running_o"), core.get("over_o"));
    let pending = m.register("interrupt_q", 1, false, "a program has ended");
    let clear = writes_to(&mut m, INTERRUPT);
    let clear = m.and(clear, first_bit);
    let changes = m.or(over, clear);
    m.drive(pending, over, Some(changes), Some(0));
    let begins = and_not(&mut m, start, running);
    let stopped = m.reduce_or(core.get("error_o"));
    let begins = and_not(&mut m, begins, stopped);
    let begins = m.name(begins, "begins", "a program starts");

    // Counters start at the start; the cycles count its edge too.
    let always = m.constant(1, 1);
    let reads_beat = m.and(r_offered, core.get("r_ready_o"));
    let writes_beat = m.and(core.get("w_valid_o"), w_taken);
    let mut events = vec![always, reads_beat, writes_beat];
    events.extend((0..ports::ARRAY_STATUS.len() as u32).map(|i| m.bit(core.get("status_o"), i)));
    let mut words = vec![];
    for (i, ((name, doc), event)) in counters().into_iter().zip(events).enumerate() {
        let counter = m.register(&format!("{name}_q"), COUNTER_BITS, false, &doc);
        let next = add_const(&mut m, counter, 1);
        let first = m.constant(u64::from(i == 0), COUNTER_BITS);
        let next = m.mux(begins, first, next);
        let counts = m.and(running, event);
        let changes = m.or(begins, counts);
        m.drive(counter, next, Some(changes), Some(0));
        let address = COUNTERS + 8 * i as u32;
        words.push((address, m.slice(counter, 0, 32)));
        words.push((address + 4, m.slice(counter, 32, COUNTER_BITS - 32)));
    }
    let zeros = m.constant(0, 2);
    let status = m.concat(&[running, core.get("done_o"), zeros, core.get("error_o")]);
    let design = u64::from_str_radix(&machine.design_sha256[..8], 16).unwrap_or(0);
    let design = m.constant(design, 32);
    words.extend([
        (STATUS, status),
        (INTERRUPT_ENABLE, enable),
        (INTERRUPT, pending),
        (PROGRAM_LOW, low),
        (PROGRAM_HIGH, high),
        (COMMANDS, commands),
        (DESIGN, design),
    ]);
    let nothing = m.constant(0, 32);
    let choices: Vec<Net> = (0..1u32 << (CONTROL_ADDRESS_BITS - 2))
        .map(|word| match words.iter().find(|(address, _)| *address == 4 * word) {
            Some((_, value)) => m.extend(*value, 32),
            None => nothing,
        })
        .collect();
    let word = m.slice(ar_address, 2, CONTROL_ADDRESS_BITS - 2);
    let value = m.select(word, &choices);
    let r_value = m.reg("r_data_q", value, Some(read), None, "the value read");

    let okay = m.constant(0, 2);
    let outputs = [
        ("awready", aw_ready, "the write address is taken"),
        ("wready", w_ready, "the value is taken"),
        ("bresp", okay, "write response, OKAY"),
        ("bvalid", b_valid, "a write response is offered"),
        ("arready", ar_ready, "the read address is taken"),
        ("rdata", r_value, "the value"),
        ("rresp", okay, "read response, OKAY"),
        ("rvalid", r_valid, "a value is offered"),
    ];
    for (name, net, doc) in outputs {
        m.output(&format!("s_axi_control_{name}_o"), net, doc);
    }
    let length = |m: &mut ModuleBuilder, beats: Net| {
        let one = m.constant(1, beats.width);
        let less = super::build::sub_within(m, beats, one);
        m.truncate(less, 8)
    };
    let ar_length = length(&mut m, core.get("ar_beats_o"));
    let aw_length = length(&mut m, core.get("aw_beats_o"));
    let size = m.constant(u64::from(array.beat_bytes().ilog2()), 3);
    let increment = m.constant(1, 2);
    let write_id = m.constant(0, 1);
    let outputs = [
        ("arid", core.get("ar_id_o"), "0 commands, 1 operands"),
        ("araddr", core.get("ar_address_o"), "byte address of the read burst"),
        ("arlen", ar_length, "its beats less one"),
        ("arsize", size, "bytes of a beat"),
        ("arburst", increment, "INCR"),
        ("arvalid", core.get("ar_valid_o"), "a read burst is asked for"),
        ("rready", core.get("r_ready_o"), "the read beat is taken"),
        ("awid", write_id, "always 0"),
        ("awaddr", core.get("aw_address_o"), "byte address of the write burst"),
        ("awlen", aw_length, "its beats less one"),
        ("awsize", size, "bytes of a beat"),
        ("awburst", increment, "INCR"),
        ("awvalid", core.get("aw_valid_o"), "a write burst is announced"),
        ("wdata", core.get("w_data_o"), "write data"),
        ("wstrb", core.get("w_strobe_o"), "bytes that are written"),
        ("wlast", core.get("w_last_o"), "last beat of the burst"),
        ("wvalid", core.get("w_valid_o"), "a write beat is offered"),
        ("bready", always, "responses are always taken"),
    ];
    for (name, net, doc) in outputs {
        m.output(&format!("m_axi_{name}_o"), net, doc);
    }
    let interrupt = m.and(pending, enable);
    m.output("irq_o", interrupt, "a program has ended");
    m.output("retire_o", core.get("retire_o"), "trace: a command retires: load, compute, store");
    m.output("status_o", core.get("status_o"), "trace: status of the machine");
    m.finish()
}
