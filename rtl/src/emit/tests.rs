//! Golden texts of the Verilog writer.

use super::verilog_files;
use crate::netlist::{Design, Module, ModuleBuilder};

/// Signed and unsigned arithmetic, cut results, registers with and without reset.
fn accumulator() -> Module {
    let mut b = ModuleBuilder::new("accumulator", "Adds products while `en_i` is high.");
    let en = b.input("en_i", 1, "takes the operands at this edge");
    let clear = b.input("clear_i", 1, "starts a new sum");
    let x = b.input_signed("x_i", 4, "first factor");
    let y = b.input_signed("y_i", 4, "second factor");
    let product = b.mul(x, y);
    let product = b.name(product, "product", "exact");
    let acc = b.register("acc_q", 12, true, "running sum");
    let zero = b.constant_signed(0, 12);
    let base = b.mux(clear, zero, acc);
    let sum = b.add(base, product);
    let next = b.truncate(sum, 12);
    b.drive(acc, next, Some(en), None);
    let one = b.constant(1, 4);
    let count = b.register("count_q", 4, false, "operands taken, modulo 16");
    let more = b.add(count, one);
    let more = b.truncate(more, 4);
    b.drive(count, more, Some(en), Some(0));
    let top = b.slice(acc, 4, 8);
    b.output("high_o", top, "sum without its four lowest bits");
    let last = b.constant(15, 4);
    let full = b.eq(count, last);
    let full = b.and(full, en);
    b.output("full_o", full, "the next operand is the sixteenth");
    b.finish().unwrap()
}

#[test]
fn a_module() {
    let files = verilog_files(&Design::new(accumulator(), vec![]).unwrap());
    let expected = "\
// Adds products while `en_i` is high.
`default_nettype none

module accumulator (
    input  wire       clk_i,   // clock
    input  wire       rst_i,   // synchronous reset, active high
    input  wire       en_i,    // takes the operands at this edge
    input  wire       clear_i, // starts a new sum
    input  wire [3:0] x_i,     // signed: first factor
    input  wire [3:0] y_i,     // signed: second factor
    output wire [7:0] high_o,  // sum without its four lowest bits
    output wire       full_o   // the next operand is the sixteenth
);

    reg  [11:0] acc_q;   // running sum
    reg  [3:0]  count_q; // operands taken, modulo 16

    wire [7:0] product = $signed(x_i) * $signed(y_i); // exact
    wire [11:0] choice_7 = clear_i ? 12'd0 : acc_q;

    always @(posedge clk_i) begin
        if (rst_i) begin
            count_q <= 4'd0;
        end else if (en_i) begin
            count_q <= count_q + 4'd1;
        end
    end

    always @(posedge clk_i) begin
        if (en_i) begin
            acc_q <= choice_7 + {{4{product[7]}}, product};
        end
    end

    assign high_o = acc_q[11:4];
    assign full_o = (count_q == 4'd15) & en_i;

endmodule

`default_nettype wire
";
    assert_eq!(files, [("accumulator.v".to_string(), expected.to_string())]);
}

/// An instance, a memory, a selection, shifts, unread bits, a constant output.
fn parent(child: &Module) -> Module {
    let mut b = ModuleBuilder::new("parent", "Instance and memory.\nSecond line.");
    let x = b.input_signed("x_i", 4, "");
    let address = b.input("address_i", 8, "word in its high bits, the amount of a shift in its low ones");
    let low = b.slice(address, 0, 3);
    let word = b.slice(address, 3, 2);
    b.ignore(address);
    let bit = b.bit(low, 2);
    let wait = b.not(bit);
    let accumulator = b.instance("u_acc", child, &[("en_i", bit), ("clear_i", wait), ("x_i", x), ("y_i", x)]);
    let high = accumulator.get("high_o");
    let joined = b.concat(&[high, high, high]);
    let read = b.ram("store", 3, 24, bit, word, joined, wait, word, "sums of before");
    let parts: Vec<_> = (0..3).map(|i| b.slice(read, 7 * i, 7)).collect();
    let part = b.select(low, &parts);
    let part = b.as_signed(part);
    let part = b.name(part, "part", "one of the three sums, for any index beyond the last the last of them");
    let shifted = b.shift_right(part, low);
    let sum = b.add(shifted, x);
    let rounded = b.slice(sum, 2, 4);
    b.output("y_o", rounded, "");
    let two = b.constant(0xabc_def0, 28);
    b.output("version_o", two, "fixed");
    b.finish().unwrap()
}

#[test]
fn a_hierarchy() {
    let child = accumulator();
    let design = Design::new(parent(&child), vec![child]).unwrap();
    let files = verilog_files(&design);
    let names: Vec<&str> = files.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(names, ["ram_3x24.v", "accumulator.v", "parent.v"]);
    let expected = "\
// Instance and memory.
// Second line.
`default_nettype none

module parent (
    input  wire        clk_i,     // clock
    input  wire        rst_i,     // synchronous reset, active high
    input  wire [3:0]  x_i,       // signed
    input  wire [7:0]  address_i, // word in its high bits, the amount of a shift in its low ones
    output wire [3:0]  y_o,
    output wire [27:0] version_o  // fixed
);

    wire inverted_5 = ~address_i[2];

    wire [7:0] u_acc_high_o; // sum without its four lowest bits
    wire       u_acc_full_o; // the next operand is the sixteenth
    accumulator u_acc (
        .clk_i   (clk_i),
        .rst_i   (rst_i),
        .en_i    (address_i[2]),
        .clear_i (inverted_5),
        .x_i     (x_i),
        .y_i     (x_i),
        .high_o  (u_acc_high_o),
        .full_o  (u_acc_full_o)
    );

    wire [23:0] store_rdata; // sums of before
    ram_3x24 u_store (
        .clk_i        (clk_i),
        .write_en_i   (address_i[2]),
        .write_addr_i (address_i[4:3]),
        .write_data_i ({u_acc_high_o, u_acc_high_o, u_acc_high_o}),
        .read_en_i    (inverted_5),
        .read_addr_i  (address_i[4:3]),
        .read_data_o  (store_rdata)
    );

    // one of the three sums, for any index beyond the last the last of them
    wire [6:0] part = address_i[2]
        ? store_rdata[20:14]
        : (address_i[1]
            ? store_rdata[20:14]
            : (address_i[0] ? store_rdata[13:7] : store_rdata[6:0]));
    wire [6:0] shifted_down_15 = $signed(part) >>> address_i[2:0];
    wire [5:0] sum_16 = shifted_down_15[5:0] + {{2{x_i[3]}}, x_i};

    assign y_o = sum_16[5:2];
    assign version_o = 28'habcdef0;

    // Bits that nothing reads.
    wire _unused_ok = &{
        1'b0,
        address_i[7:5],
        u_acc_full_o,
        store_rdata[23:21],
        shifted_down_15[6],
        sum_16[1:0]
    };

endmodule

`default_nettype wire
";
    assert_eq!(files[2].1, expected);
    let expected = "\
// Memory of 3 words of 24 bits, one write and one read port.
// The read data follows the edge with read_en_i and holds until the next one. Reading a
// word at the edge that writes it is not defined: its users avoid it.
`default_nettype none

module ram_3x24 (
    input  wire        clk_i,        // clock
    input  wire        write_en_i,   // writes at this edge
    input  wire [1:0]  write_addr_i, // word to write
    input  wire [23:0] write_data_i, // value to write
    input  wire        read_en_i,    // reads at this edge
    input  wire [1:0]  read_addr_i,  // word to read
    output reg  [23:0] read_data_o   // word read last
);

    reg [23:0] memory [0:2];

    always @(posedge clk_i) begin
        if (write_en_i) begin
            memory[write_addr_i] <= write_data_i;
        end
    end

    always @(posedge clk_i) begin
        if (read_en_i) begin
            read_data_o <= memory[read_addr_i];
        end
    end

endmodule

`default_nettype wire
";
    assert_eq!(files[0].1, expected);
}

/// A table is a function, shared by nets that look up the same; what it says of unread bits goes, behind its end is the last.
#[test]
fn a_table() {
    let mut b = ModuleBuilder::new("squares", "Squares.");
    let entries: Vec<_> = (0..4).map(|x| b.constant(x * x, 4)).collect();
    for name in ["first", "second"] {
        let index = b.input(&format!("{name}_i"), 2, "");
        let square = b.select(index, &entries);
        b.output(&format!("{name}_o"), square, "");
    }
    let index = b.input("low_i", 2, "");
    let square = b.select(index, &entries[..3]);
    let low = b.slice(square, 0, 1);
    b.output("low_o", low, "");
    let files = verilog_files(&Design::new(b.finish().unwrap(), vec![]).unwrap());
    let expected = "\
    function [3:0] _table_0(input [1:0] index);
        case (index)
            2'd0: _table_0 = 4'd0;
            2'd1: _table_0 = 4'd1;
            2'd2: _table_0 = 4'd4;
            2'd3: _table_0 = 4'd9;
            default: _table_0 = 4'bx;
        endcase
    endfunction

    function _table_1(input [1:0] index);
        case (index)
            2'd0, 2'd2, 2'd3: _table_1 = 1'b0;
            2'd1: _table_1 = 1'b1;
            default: _table_1 = 1'bx;
        endcase
    endfunction

    assign first_o = _table_0(first_i);
    assign second_o = _table_0(second_i);
    assign low_o = _table_1(low_i);
";
    assert!(files[0].1.contains(expected), "{}", files[0].1);
}
