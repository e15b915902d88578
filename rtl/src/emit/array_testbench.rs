//! The testbench of a whole machine, shared by Icarus and Verilator: the `ideal` memory of `sim/src/memory.rs` written
//! again, a host that starts the program and reads the counters, and a protocol checker.
//!
//! Run in a folder with `memory.hex` (a beat a line) and the plusargs `memory_beats`, `commands`, `limit`, `latency`,
//! `bytes_per_cycle`, `outstanding`, `threshold` and `seed_0` to `seed_4` (read address, read, write address, write, response).
//! It writes `trace.txt`: `a CYCLE ID ADDRESS BEATS` for a read burst taken, `b CYCLE ADDRESS BEATS` for a write burst,
//! `w CYCLE DATA STROBES LAST` for a write beat, `r CYCLE BITS` for retirements, after the end `c INDEX VALUE` for a counter and
//! `e STATUS`, at last `done`; or `watchdog`, `unknown PORT CYCLE` where an X or Z reaches a handshake or an offered
//! beat, `protocol RULE CYCLE` where the memory port breaks a rule of AXI4.

use bitmosaic_arch::{ADDRESS_BITS, Array, BURST_BOUNDARY_BYTES};
use bitmosaic_mappings::Lfsr;

use super::wrapper::WRAPPER;
use crate::hardware::Units;
use crate::hardware::array::{control_registers, counters};

/// PEs from which Verilator builds a machine in blocks.
const PES_OF_BLOCKS: u32 = 256;

/// Verilator's control file for a large machine: tile and aligner are built once, as blocks of their own, instead of inlined as
/// often as they occur (`verilator --hierarchical`). Nothing for machines of fewer than 256 PEs, which are faster inlined.
pub fn hierarchy(array: &Array, units: &Units) -> Option<String> {
    let block = |design: &crate::netlist::Design| format!("hier_block -module \"{}\"\n", design.top().name);
    let large = array.rows * array.columns >= PES_OF_BLOCKS;
    large.then(|| format!("`verilator_config\n{}", units.designs().map(block).collect::<String>()))
}

/// Module `testbench` for a machine, with room for `memory_beats` beats of memory (a power of two).
pub fn array_testbench(array: &Array, memory_beats: u64) -> String {
    let register = |name: &str| {
        let found = control_registers().into_iter().find(|r| r.name == name);
        format!("8'h{:02x}", found.map_or(0, |r| r.address))
    };
    TEXT.replace("WRAPPER", WRAPPER)
        .replace("FEEDBACK", &format!("32'h{:08x}", Lfsr::FEEDBACK))
        .replace("DATA_HIGH", &(array.data_bits - 1).to_string())
        .replace("STROBE_HIGH", &(array.beat_bytes() - 1).to_string())
        .replace("ADDRESS_HIGH", &(ADDRESS_BITS - 1).to_string())
        .replace("BEAT_BYTES", &array.beat_bytes().to_string())
        .replace("BEAT_SHIFT", &array.beat_bytes().ilog2().to_string())
        .replace("BOUNDARY", &BURST_BOUNDARY_BYTES.to_string())
        .replace("LONGEST_BURST", &array.burst_beats.max(commands_beats(array)).to_string())
        .replace("MEMORY_HIGH", &(memory_beats - 1).to_string())
        .replace("INDEX_HIGH", &(memory_beats.ilog2() - 1).to_string())
        .replace("COUNTERS", &counters().len().to_string())
        .replace("FIRST_COUNTER", &register("cycles_low"))
        .replace("REGISTER_INTERRUPT_ENABLE", &register("interrupt_enable"))
        .replace("REGISTER_COMMANDS", &register("program_commands"))
        .replace("REGISTER_START", &register("start"))
        .replace("REGISTER_STATUS", &register("status"))
}

/// Beats of the longest burst of command fetch.
fn commands_beats(array: &Array) -> u32 {
    bitmosaic_arch::FETCH_COMMANDS * bitmosaic_mappings::field::COMMAND_BITS / array.data_bits
}

const TEXT: &str = r#"// Testbench of a whole machine: memory, host and protocol checker.
module testbench (input wire clk_i);

    // Random gates: Galois LFSR, one step a cycle.
    function [31:0] lfsr_next;
        input [31:0] state;
        lfsr_next = {1'b0, state[31:1]} ^ (state[0] ? FEEDBACK : 32'd0);
    endfunction

    reg        aresetn = 1'b0;
    reg [7:0]  reset_count = 8'd0;
    reg        active = 1'b0;
    reg        stopped = 1'b0;
    reg [63:0] cycle = 64'd0;
    reg [63:0] limit;
    reg [31:0] commands;
    reg [63:0] memory_beats;
    integer    trace;

    // Control port.
    reg  [7:0]  s_awaddr = 8'd0, s_araddr = 8'd0;
    reg  [31:0] s_wdata = 32'd0;
    reg         s_valid = 1'b0, s_arvalid = 1'b0;
    wire        s_awready, s_wready, s_bvalid, s_arready, s_rvalid;
    wire [1:0]  s_bresp, s_rresp;
    wire [31:0] s_rdata;
    // Memory port.
    wire                  arvalid, rready, awvalid, wvalid, wlast, bready, arid, awid;
    wire [ADDRESS_HIGH:0] araddr, awaddr;
    wire [7:0]            arlen, awlen;
    wire [2:0]            arsize, awsize;
    wire [1:0]            arburst, awburst;
    wire [DATA_HIGH:0]    wdata;
    wire [STROBE_HIGH:0]  wstrb;
    wire                  irq;
    wire [2:0]            retire;
    wire [6:0]            status;

    // Memory: a clocked state machine; all offers are functions of its registers.
    reg [DATA_HIGH:0]    memory [0:MEMORY_HIGH];
    reg [31:0]           latency, bytes_per_cycle, outstanding;
    reg [7:0]            threshold;
    reg [31:0]           lfsr_0, lfsr_1, lfsr_2, lfsr_3, lfsr_4;
    wire [4:0]           open = {lfsr_4[7:0] >= threshold, lfsr_3[7:0] >= threshold, lfsr_2[7:0] >= threshold,
                                 lfsr_1[7:0] >= threshold, lfsr_0[7:0] >= threshold};
    reg [31:0]           budget_q = 32'd0;
    wire [31:0]          budget_cap = bytes_per_cycle > BEAT_BYTES ? 2 * bytes_per_cycle : 2 * BEAT_BYTES;
    wire [31:0]          budget_grown = budget_q + bytes_per_cycle;
    wire [31:0]          budget = budget_grown < budget_cap ? budget_grown : budget_cap;
    // Reads: a ring of bursts.
    reg [ADDRESS_HIGH:0] read_address [0:63];
    reg [31:0]           read_left [0:63];
    reg [63:0]           read_from [0:63];
    reg                  read_id [0:63];
    reg [5:0]            read_first = 6'd0, read_free = 6'd0;
    reg [31:0]           reads = 32'd0;
    reg                  read_held = 1'b0;
    wire                 rvalid = active && reads != 0 && cycle >= read_from[read_first] &&
                                  (read_held || (open[1] && budget >= BEAT_BYTES));
    wire [63:0]          read_beat = {16'd0, read_address[read_first]} >> BEAT_SHIFT;
    wire                 read_inside = read_beat < memory_beats;
    wire [DATA_HIGH:0]   rdata = rvalid && read_inside ? memory[read_beat[INDEX_HIGH:0]] : 0;
    wire                 rid = read_id[read_first];
    wire                 rlast = read_left[read_first] == 1;
    wire                 arready = active && reads < outstanding && open[0];
    // Writes and responses: rings as well.
    reg [ADDRESS_HIGH:0] write_address [0:63];
    reg [31:0]           write_left [0:63];
    reg [5:0]            write_first = 6'd0, write_free = 6'd0;
    reg [31:0]           writes = 32'd0;
    reg                  write_error = 1'b0;
    reg [63:0]           response_from [0:63];
    reg                  response_error [0:63];
    reg [5:0]            response_first = 6'd0, response_free = 6'd0;
    reg [31:0]           responses = 32'd0;
    wire                 awready = active && writes + responses < outstanding && open[2];
    wire                 wready = active && writes != 0 && open[3] &&
                                  budget >= (rvalid ? 2 * BEAT_BYTES : BEAT_BYTES);
    wire                 bvalid = active && responses != 0 && cycle >= response_from[response_first] && open[4];
    wire [63:0]          write_beat = {16'd0, write_address[write_first]} >> BEAT_SHIFT;
    wire                 write_inside = write_beat < memory_beats;

    WRAPPER dut (
        .aclk(clk_i), .aresetn(aresetn),
        .s_axi_control_awaddr(s_awaddr), .s_axi_control_awvalid(s_valid), .s_axi_control_awready(s_awready),
        .s_axi_control_wdata(s_wdata), .s_axi_control_wstrb(4'hf), .s_axi_control_wvalid(s_valid),
        .s_axi_control_wready(s_wready),
        .s_axi_control_bresp(s_bresp), .s_axi_control_bvalid(s_bvalid), .s_axi_control_bready(1'b1),
        .s_axi_control_araddr(s_araddr), .s_axi_control_arvalid(s_arvalid), .s_axi_control_arready(s_arready),
        .s_axi_control_rdata(s_rdata), .s_axi_control_rresp(s_rresp), .s_axi_control_rvalid(s_rvalid),
        .s_axi_control_rready(1'b1),
        .m_axi_arid(arid), .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(arsize), .m_axi_arburst(arburst),
        .m_axi_arvalid(arvalid), .m_axi_arready(arready),
        .m_axi_rid(rid), .m_axi_rdata(rdata), .m_axi_rresp(read_inside ? 2'b00 : 2'b10), .m_axi_rlast(rlast),
        .m_axi_rvalid(rvalid), .m_axi_rready(rready),
        .m_axi_awid(awid), .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awsize(awsize), .m_axi_awburst(awburst),
        .m_axi_awvalid(awvalid), .m_axi_awready(awready),
        .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(wready),
        .m_axi_bid(1'b0), .m_axi_bresp(response_error[response_first] ? 2'b10 : 2'b00),
        .m_axi_bvalid(bvalid), .m_axi_bready(bready),
        .irq(irq), .retire(retire), .status(status)
    );

    initial begin
        if (!$value$plusargs("limit=%d", limit)) limit = 64'd1000000;
        if (!$value$plusargs("commands=%d", commands)) commands = 32'd1;
        if (!$value$plusargs("memory_beats=%d", memory_beats)) memory_beats = 64'd0;
        if (!$value$plusargs("latency=%d", latency)) latency = 32'd1;
        if (!$value$plusargs("bytes_per_cycle=%d", bytes_per_cycle)) bytes_per_cycle = 32'd1;
        if (!$value$plusargs("outstanding=%d", outstanding)) outstanding = 32'd1;
        if (!$value$plusargs("threshold=%d", threshold)) threshold = 8'd0;
        if (!$value$plusargs("seed_0=%d", lfsr_0)) lfsr_0 = 32'd1;
        if (!$value$plusargs("seed_1=%d", lfsr_1)) lfsr_1 = 32'd1;
        if (!$value$plusargs("seed_2=%d", lfsr_2)) lfsr_2 = 32'd1;
        if (!$value$plusargs("seed_3=%d", lfsr_3)) lfsr_3 = 32'd1;
        if (!$value$plusargs("seed_4=%d", lfsr_4)) lfsr_4 = 32'd1;
        trace = $fopen("trace.txt", "w");
        $readmemh("memory.hex", memory, 0, memory_beats[31:0] - 1);
    end

    task stop;
        begin
            stopped = 1'b1;
            $fclose(trace);
            $finish;
        end
    endtask

    // A signal must be 0 or 1 (four-state simulators).
    task check;
        input value;
        input [255:0] name;
        if (!stopped && value !== 1'b0 && value !== 1'b1) begin
            $fdisplay(trace, "unknown %0s %0d", name, cycle);
            stop;
        end
    endtask

    // A rule of the protocol.
    task rule;
        input holds;
        input [255:0] name;
        if (!stopped && !holds) begin
            $fdisplay(trace, "protocol %0s %0d", name, cycle);
            stop;
        end
    endtask

    // Last cycle's offers that were not taken must stand.
    reg                  ar_waits = 1'b0, aw_waits = 1'b0, w_waits = 1'b0;
    reg [ADDRESS_HIGH:0] last_araddr, last_awaddr;
    reg [7:0]            last_arlen, last_awlen;
    reg                  last_arid, last_wlast;
    reg [DATA_HIGH:0]    last_wdata;
    reg [STROBE_HIGH:0]  last_wstrb;

    // Host: writes the registers, waits for the interrupt, reads the counters.
    reg [3:0]  host = 4'd0;
    reg        offered = 1'b0;
    reg [7:0]  reading = 8'd0;
    reg [31:0] low = 32'd0;
    integer    i;

    always @(posedge clk_i) begin
        reset_count <= reset_count + 8'd1;
        if (reset_count == 8'd4) aresetn <= 1'b1;
        if (reset_count == 8'd255) reset_count <= 8'd255;

        // Host.
        if (reset_count > 8'd8 && !stopped && !active) begin
            check(s_awready, "s_axi_control_awready");
            check(s_bvalid, "s_axi_control_bvalid");
            check(s_rvalid, "s_axi_control_rvalid");
            if (host < 4'd4) begin
                if (!offered) begin
                    offered <= 1'b1;
                    s_valid <= 1'b1;
                    case (host)
                        4'd0: begin s_awaddr <= REGISTER_INTERRUPT_ENABLE; s_wdata <= 32'd1; end
                        4'd1: begin s_awaddr <= REGISTER_COMMANDS; s_wdata <= commands; end
                        4'd2: begin s_awaddr <= REGISTER_START; s_wdata <= 32'd1; end
                        default: begin s_valid <= 1'b0; end
                    endcase
                end else if (s_valid && s_awready && s_wready) begin
                    s_valid <= 1'b0;
                    if (host == 4'd2) begin
                        active <= 1'b1;
                        host <= 4'd4;
                        offered <= 1'b0;
                    end
                end else if (s_bvalid) begin
                    offered <= 1'b0;
                    host <= host + 4'd1;
                end
            end else if (host == 4'd5) begin
                // Counters, low and high words, then the status.
                if (!offered) begin
                    offered <= 1'b1;
                    s_arvalid <= 1'b1;
                    s_araddr <= reading < 2 * COUNTERS ? FIRST_COUNTER + {reading[5:0], 2'b00} : REGISTER_STATUS;
                end else begin
                    if (s_arvalid && s_arready) s_arvalid <= 1'b0;
                    if (s_rvalid) begin
                        offered <= 1'b0;
                        reading <= reading + 8'd1;
                        low <= s_rdata;
                        if (reading == 2 * COUNTERS) begin
                            $fdisplay(trace, "e %0d", s_rdata);
                            $fdisplay(trace, "done");
                            stop;
                        end else if (reading[0]) begin
                            $fdisplay(trace, "c %0d %0d", reading >> 1, {s_rdata, low});
                        end
                    end
                end
            end
        end

        if (active && !stopped) begin
            check(arvalid, "m_axi_arvalid");
            check(rready, "m_axi_rready");
            check(awvalid, "m_axi_awvalid");
            check(wvalid, "m_axi_wvalid");
            check(irq, "irq");
            check(^retire, "retire");
            check(^status, "status");
            if (arvalid) check(^{araddr, arlen, arid}, "m_axi_araddr");
            if (awvalid) check(^{awaddr, awlen}, "m_axi_awaddr");
            if (wvalid) check(^{wdata, wstrb, wlast}, "m_axi_wdata");

            // Protocol.
            if (ar_waits) rule(arvalid && araddr == last_araddr && arlen == last_arlen && arid == last_arid, "ar_stable");
            if (aw_waits) rule(awvalid && awaddr == last_awaddr && awlen == last_awlen, "aw_stable");
            if (w_waits) rule(wvalid && wdata == last_wdata && wstrb == last_wstrb && wlast == last_wlast, "w_stable");
            if (arvalid) begin
                rule({24'd0, arlen} < LONGEST_BURST, "ar_length");
                rule(({16'd0, araddr} % BOUNDARY) + ({56'd0, arlen} + 64'd1) * BEAT_BYTES <= BOUNDARY, "ar_boundary");
                rule(({16'd0, araddr} % BEAT_BYTES) == 0, "ar_alignment");
                rule(arsize == BEAT_SHIFT && arburst == 2'b01, "ar_kind");
            end
            if (awvalid) begin
                rule({24'd0, awlen} < LONGEST_BURST, "aw_length");
                rule(({16'd0, awaddr} % BOUNDARY) + ({56'd0, awlen} + 64'd1) * BEAT_BYTES <= BOUNDARY, "aw_boundary");
                rule(({16'd0, awaddr} % BEAT_BYTES) == 0, "aw_alignment");
                rule(awsize == BEAT_SHIFT && awburst == 2'b01 && !awid, "aw_kind");
            end
            if (wvalid && wready) rule(wlast == (write_left[write_first] == 1), "w_last");
            rule(bready, "b_ready");
            ar_waits <= arvalid && !arready;
            aw_waits <= awvalid && !awready;
            w_waits <= wvalid && !wready;
            last_araddr <= araddr;
            last_arlen <= arlen;
            last_arid <= arid;
            last_awaddr <= awaddr;
            last_awlen <= awlen;
            last_wdata <= wdata;
            last_wstrb <= wstrb;
            last_wlast <= wlast;
        end
        if (active && !stopped) begin
            // Trace.
            if (arvalid && arready) $fdisplay(trace, "a %0d %0d %0d %0d", cycle, arid, araddr, {24'd0, arlen} + 32'd1);
            if (awvalid && awready) $fdisplay(trace, "b %0d %0d %0d", cycle, awaddr, {24'd0, awlen} + 32'd1);
            if (wvalid && wready) $fdisplay(trace, "w %0d %h %h %0d", cycle, wdata, wstrb, wlast);
            if (retire != 3'd0) $fdisplay(trace, "r %0d %0d", cycle, retire);

            // Memory.
            budget_q <= budget - (rvalid && rready ? BEAT_BYTES : 0) - (wvalid && wready ? BEAT_BYTES : 0);
            read_held <= rvalid && !rready;
            if (rvalid && rready) begin
                read_address[read_first] <= read_address[read_first] + BEAT_BYTES;
                read_left[read_first] <= read_left[read_first] - 32'd1;
                if (rlast) read_first <= read_first + 6'd1;
            end
            if (arvalid && arready) begin
                read_address[read_free] <= araddr;
                read_left[read_free] <= {24'd0, arlen} + 32'd1;
                read_from[read_free] <= cycle + {32'd0, latency};
                read_id[read_free] <= arid;
                read_free <= read_free + 6'd1;
            end
            reads <= reads + {31'd0, arvalid && arready} - {31'd0, rvalid && rready && rlast};
            if (wvalid && wready) begin
                write_address[write_first] <= write_address[write_first] + BEAT_BYTES;
                write_left[write_first] <= write_left[write_first] - 32'd1;
                if (write_inside) begin
                    for (i = 0; i < BEAT_BYTES; i = i + 1)
                        if (wstrb[i]) memory[write_beat[INDEX_HIGH:0]][8 * i +: 8] <= wdata[8 * i +: 8];
                end
                write_error <= !wlast && (write_error || !write_inside);
                if (wlast) begin
                    write_first <= write_first + 6'd1;
                    response_from[response_free] <= cycle + {32'd0, latency};
                    response_error[response_free] <= write_error || !write_inside;
                    response_free <= response_free + 6'd1;
                end
            end
            if (awvalid && awready) begin
                write_address[write_free] <= awaddr;
                write_left[write_free] <= {24'd0, awlen} + 32'd1;
                write_free <= write_free + 6'd1;
            end
            writes <= writes + {31'd0, awvalid && awready} - {31'd0, wvalid && wready && wlast};
            if (bvalid) response_first <= response_first + 6'd1;
            responses <= responses + {31'd0, wvalid && wready && wlast} - {31'd0, bvalid};
            lfsr_0 <= lfsr_next(lfsr_0);
            lfsr_1 <= lfsr_next(lfsr_1);
            lfsr_2 <= lfsr_next(lfsr_2);
            lfsr_3 <= lfsr_next(lfsr_3);
            lfsr_4 <= lfsr_next(lfsr_4);

            cycle <= cycle + 64'd1;
            if (irq && cycle != 0) begin
                active <= 1'b0;
                host <= 4'd5;
            end else if (cycle + 64'd1 == limit) begin
                $fdisplay(trace, "watchdog");
                stop;
            end
        end
    end
endmodule
"#;
