//! Ports of three modules of `mosaic-tiny`, as `declaration` gives them.

use rust_hdl_core::prelude::*;

bitmosaic_rtl::rust_hdl_ports! {
    /// Ports of `block_pe`.
    pub struct PePorts {
        /// clock
        pub clk_i: Signal<In, Clock>,
        /// digits of the column: sign, none for 0, then the place of the magnitude among 0, 1, 2, 4 and negative
        pub digit_i: Signal<In, Bits<12>>,
        /// aligned activations of the row, two's complement
        pub activation_i: Signal<In, Bits<56>>,
        /// a term reaches the accumulator
        pub accumulate_i: Signal<In, Bit>,
        /// the term is the first of its group
        pub clear_i: Signal<In, Bit>,
        /// digit plane of the term: it weighs 2^(2 * plane)
        pub plane_i: Signal<In, Bit>,
        /// the term ends its group: the sum goes to the hold register
        pub capture_i: Signal<In, Bit>,
        /// the hold chain moves by one
        pub shift_i: Signal<In, Bit>,
        /// hold register of the next PE in the chain
        pub chain_i: Signal<In, Bits<26>>,
        /// hold register
        pub chain_o: Signal<Out, Bits<26>>,
    }
}

bitmosaic_rtl::rust_hdl_ports! {
    /// Ports of `tile`.
    pub struct TilePorts {
        /// clock
        pub clk_i: Signal<In, Clock>,
        /// synchronous reset, active high
        pub rst_i: Signal<In, Bit>,
        /// commands of 32 bytes
        pub command_valid_i: Signal<In, Bit>,
        /// commands of 32 bytes
        pub command_data_i: Signal<In, Bits<256>>,
        /// a chunk of weights: per column, lowest first, codes of the lanes and the group's special value selector
        pub weight_valid_i: Signal<In, Bit>,
        /// a chunk of weights: per column, lowest first, codes of the lanes and the group's special value selector
        pub weight_data_i: Signal<In, Bits<36>>,
        /// a chunk of activations: per row, lowest first, the lanes
        pub activation_valid_i: Signal<In, Bit>,
        /// a chunk of activations: per row, lowest first, the lanes
        pub activation_data_i: Signal<In, Bits<112>>,
        /// a group's scale codes and zero points: per column, the code lowest
        pub scale_valid_i: Signal<In, Bit>,
        /// a group's scale codes and zero points: per column, the code lowest
        pub scale_data_i: Signal<In, Bits<16>>,
        /// a pass' channel scales: per column FP16
        pub channel_valid_i: Signal<In, Bit>,
        /// a pass' channel scales: per column FP16
        pub channel_data_i: Signal<In, Bits<32>>,
        /// a group's shared exponents: per row 5 bits, the non-finite flag, the sum of the activations if zero points need it
        pub exponent_valid_i: Signal<In, Bit>,
        /// a group's shared exponents: per row 5 bits, the non-finite flag, the sum of the activations if zero points need it
        pub exponent_data_i: Signal<In, Bits<12>>,
        /// the output beat is taken
        pub output_ready_i: Signal<In, Bit>,
        /// the beat is taken at this edge if offered
        pub command_ready_o: Signal<Out, Bit>,
        /// the beat is taken at this edge if offered
        pub weight_ready_o: Signal<Out, Bit>,
        /// the beat is taken at this edge if offered
        pub activation_ready_o: Signal<Out, Bit>,
        /// the beat is taken at this edge if offered
        pub scale_ready_o: Signal<Out, Bit>,
        /// the beat is taken at this edge if offered
        pub channel_ready_o: Signal<Out, Bit>,
        /// the beat is taken at this edge if offered
        pub exponent_ready_o: Signal<Out, Bit>,
        /// an output beat is offered
        pub output_valid_o: Signal<Out, Bit>,
        /// FP16 outputs, one a scale unit
        pub output_data_o: Signal<Out, Bits<16>>,
        /// a command retires at this edge
        pub retire_o: Signal<Out, Bit>,
        /// status, counted by testbenches
        pub compute_o: Signal<Out, Bit>,
        /// status, counted by testbenches
        pub stall_operand_o: Signal<Out, Bit>,
        /// status, counted by testbenches
        pub stall_scale_unit_o: Signal<Out, Bit>,
        /// status, counted by testbenches
        pub stall_output_o: Signal<Out, Bit>,
    }
}

bitmosaic_rtl::rust_hdl_ports! {
    /// Ports of `aligner`.
    pub struct AlignerPorts {
        /// clock
        pub clk_i: Signal<In, Clock>,
        /// synchronous reset, active high
        pub rst_i: Signal<In, Bit>,
        /// a command is offered
        pub command_valid_i: Signal<In, Bit>,
        /// commands of 32 bytes
        pub command_data_i: Signal<In, Bits<256>>,
        /// a chunk of activations is offered
        pub fp16_valid_i: Signal<In, Bit>,
        /// FP16 activations of a token, lowest first
        pub fp16_data_i: Signal<In, Bits<64>>,
        /// the aligned beat is taken
        pub output_ready_i: Signal<In, Bit>,
        /// the command is taken
        pub command_ready_o: Signal<Out, Bit>,
        /// the beat is taken
        pub fp16_ready_o: Signal<Out, Bit>,
        /// an aligned beat is offered
        pub output_valid_o: Signal<Out, Bit>,
        /// aligned activations, lowest first, exponent (5), non-finite flag, the group's sum so far if it has one
        pub output_data_o: Signal<Out, Bits<62>>,
        /// a command retires at this edge
        pub retire_o: Signal<Out, Bit>,
    }
}
