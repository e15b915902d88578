//! Mutants that change nothing a program can see, each with the reason.

/// Mutants that behave like the sound machine, on every machine of the test that has them.
pub struct Equivalent {
    /// Module.
    pub module: &'static str,
    /// Places, see `Mutant::place`.
    pub places: &'static [&'static str],
    /// Change, see `Mutant::change`.
    pub change: &'static str,
    /// Why nothing shows.
    pub reason: &'static str,
}

const AFTER_THE_CHAIN: &str =
    "what follows the last PE of a hold chain never reaches the scale unit in a slot that counts";

/// All of them.
pub const EQUIVALENTS: &[Equivalent] = &[
    Equivalent {
        module: "align_lane",
        places: &["significand_down_1/mux.1/extend.0/concat.0"],
        change: "all bits",
        reason: "the first level shifts out the two bits put below the significand, which are zero",
    },
    Equivalent {
        module: "align_lane",
        places: &["significand_down_16/mux.1/extend.0", "significand_down_32/mux.1/extend.0"],
        change: "all bits",
        reason: "a shift this far empties kept bits and guard; the sticky bit alone never rounds up",
    },
    Equivalent {
        module: "aligner",
        places: &["entering_valid_q"],
        change: "other reset value",
        reason: "a beat that is none enters an empty buffer, and exponents start anew with a group",
    },
    Equivalent {
        module: "drain_control",
        places: &["in_flight_q"],
        change: "other reset value",
        reason: "it is counted anew at the first edge, long before a slot reads",
    },
    Equivalent {
        module: "term_generator",
        places: &["digit_o/concat.3/mux.2/select.0/select.5"],
        change: "lowest bit",
        reason: "an index behind the last of three sources of digits means the last",
    },
    Equivalent {
        module: "term_generator",
        places: &[
            "digit_o/concat.3/mux.2/select.1/concat.2/slice.0/or.1/and.1/select.1/mux.0/select.3",
            "digit_o/concat.3/mux.2/select.1/concat.2/slice.0/or.1/and.1/select.1/mux.0/select.4",
            "digit_o/concat.3/mux.2/select.1/concat.2/slice.0/or.1/and.1/select.1/mux.0/select.5",
        ],
        change: "lowest bit",
        reason: "which width the recoder takes for the types that look their digits up",
    },
    Equivalent {
        module: "tile_control",
        places: &["finish/and.0"],
        change: "only the second",
        reason: "output_last is only set with output_valid (drain_control's finish_d needs output_d)",
    },
    Equivalent {
        module: "tile_control",
        places: &["output_channel_q.next/mux.0"],
        change: "only the first",
        reason: "the second is the constant 0: the counter of output channels never wraps within a command",
    },
    Equivalent {
        module: "tile_control",
        places: &["tail_blocked/and.0/and.0/and.0"],
        change: "only the second",
        reason: "an offered output beat implies busy",
    },
    Equivalent {
        module: "block_pe",
        places: &["negative_q.next"],
        change: "two parts swapped",
        reason: "the signs are only counted",
    },
    Equivalent {
        module: "float_pe",
        places: &[
            "accumulator_d/truncate.0/add.1/reinterpret.0/extend.0/slice.0/shift_right.1/reinterpret.0/truncate.0/sub.1/mux.1/mux.2",
        ],
        change: "lowest bit",
        reason: "the group starts from 0 at exponent 1 instead of 0; no product has a smaller exponent",
    },
    Equivalent {
        module: "float_pe",
        places: &[
            "accumulator_d/truncate.0/add.1/reinterpret.0/extend.0/slice.0/shift_right.1/reinterpret.0/truncate.0/sub.1/mux.2/truncate.0/add.1/mux.2",
        ],
        change: "lowest bit",
        reason: "a cycle without products adds 0 at exponent 1 instead of 0; no accumulator has a smaller exponent",
    },
    Equivalent {
        module: "mac_pe",
        places: &[
            "accumulator_d/truncate.0/add.1/reinterpret.0/extend.0/slice.0/shift_right.1/reinterpret.0/truncate.0/sub.1/mux.1/mux.2",
        ],
        change: "lowest bit",
        reason: "the group starts from 0 at exponent 1 instead of 0; no product has a smaller exponent",
    },
    Equivalent {
        module: "mac_pe",
        places: &["lane_exponent_0/mux.2", "lane_exponent_1/mux.2", "lane_exponent_2/mux.2", "lane_exponent_3/mux.2"],
        change: "lowest bit",
        reason: "a lane without product is 0 at exponent 1 instead of 0; no product and no accumulator has a smaller exponent",
    },
    Equivalent {
        module: "drain_control",
        places: &["scale_q.next/concat.1/mux.2/concat.0"],
        change: "lowest bit",
        reason: "what moves into a scale code while its eight bits leave is never among them",
    },
    Equivalent {
        module: "drain_control",
        places: &["loads_channel"],
        change: "only the first",
        reason: "channel scales loaded with an earlier group of the pass are never used and loaded again at its end",
    },
    Equivalent {
        module: "drain_control",
        places: &["slot_q.next/mux.2/mux.1", "column_q.next/mux.2/mux.1/mux.0/eq.1", "column_q.next/mux.2/mux.1/mux.1"],
        change: "lowest bit",
        reason: "capture clears the counter before it is used again: where it wraps by itself does not matter",
    },
    Equivalent {
        module: "drain_control",
        places: &["column_q.next/mux.2/mux.1/truncate.0"],
        change: "only the second",
        reason: "two columns: the counter goes from 0 to 1 and capture clears it",
    },
    Equivalent {
        module: "drain_control",
        places: &["finish_d/and.0"],
        change: "only the second",
        reason: "tile_control's finish needs output_valid as well",
    },
    Equivalent {
        module: "drain_control",
        places: &[
            "finish_1_q",
            "finish_2_q",
            "finish_3_q",
            "finish_4_q",
            "finish_5_q",
            "finish_6_q",
            "finish_7_q",
            "finish_8_q",
            "finish_9_q",
            "finish_10_q",
            "finish_11_q",
            "finish_12_q",
            "finish_13_q",
            "finish_14_q",
            "output_last_q",
        ],
        change: "other reset value",
        reason: "tile_control's finish needs output_valid as well, whose flags are reset",
    },
    Equivalent {
        module: "drain_control",
        places: &[
            "valid_0_q",
            "valid_1_q",
            "valid_2_q",
            "valid_3_q",
            "valid_4_q",
            "valid_5_q",
            "valid_6_q",
            "valid_7_q",
            "valid_8_q",
        ],
        change: "other reset value",
        reason: "a slot that is none turns the ring of accumulators once, or writes to one, before the first group, which starts from zero",
    },
    Equivalent {
        module: "scale_unit",
        places: &["magnitude_up_32/mux.1/concat.0"],
        change: "lowest bit",
        reason: "the level moves up products of few bits; a one so far below their guard bit, which is 0, does not round",
    },
    Equivalent {
        module: "scale_unit",
        places: &["larger_significand/concat.1/reduce_or.0", "smaller_significand/concat.1/reduce_or.0"],
        change: "one bit up",
        reason: "differs for the exponent field 1 (and for -0) only: exponents stay near 127, zeros are positive",
    },
    Equivalent {
        module: "scale_unit",
        places: &["smaller_down_1/mux.1/extend.0/concat.0"],
        change: "all bits",
        reason: "the first level shifts out the two bits put below the significand, which are zero",
    },
    Equivalent {
        module: "scale_unit",
        places: &["smaller_down_1/mux.1/extend.0/concat.0/reduce_or.0"],
        change: "one bit up",
        reason: "three zeros are put below the significand: both slices are zero",
    },
    Equivalent {
        module: "scale_unit",
        places: &[
            "smaller_down_32/mux.1/extend.0",
            "smaller_down_64/mux.1/extend.0",
            "smaller_down_128/mux.1/extend.0",
        ],
        change: "all bits",
        reason: "an addend more than 25 binades below the other changes nothing, with or without its sticky bit",
    },
    Equivalent {
        module: "scale_unit",
        places: &["smaller_down_128/mux.0"],
        change: "one bit down",
        reason: "128 and more only where the smaller addend is zero; from 64 on it is gone already, shifted twice or not",
    },
    Equivalent {
        module: "scale_unit",
        places: &["total_up_4/mux.1/concat.0"],
        change: "lowest bit",
        reason: "the one reaches the guard bit at most, over an even number and zeros: a tie that rounds down",
    },
    Equivalent {
        module: "output_stage",
        places: &["product_up_32/mux.1/concat.0", "product_up_16/mux.1/concat.0"],
        change: "lowest bit",
        reason: "a product that is not zero has at least 24 of 35 bits: it never moves up by 16 or 32",
    },
    Equivalent {
        module: "output_stage",
        places: &["product_up_32/mux.1/concat.1", "product_up_16/mux.1/concat.1"],
        change: "one bit up",
        reason: "a product that is not zero has at least 24 of 35 bits: it never moves up by 16 or 32",
    },
    Equivalent {
        module: "output_stage",
        places: &["single_rounds_up/and.1/or.1"],
        change: "one bit up",
        reason: "the last two bits differ only where neither neighbour is a tie of the output, which has 12 zeros below it",
    },
    Equivalent {
        module: "output_stage",
        places: &["lost_bits/mux.1/slice.0/mux.1"],
        change: "lowest bit",
        reason: "an output that loses 12 bits is zero: a limit of 14 does as well as 15",
    },
    Equivalent {
        module: "output_stage",
        places: &["significand_down_1/mux.1/extend.0/concat.0/reduce_or.0"],
        change: "one bit up",
        reason: "the bit that it takes for lost ends two places below the guard bit at least: sticky anyway",
    },
    Equivalent {
        module: "tile",
        places: &[
            "u_pe_0_0.chain_i",
            "u_pe_0_1.chain_i",
            "u_pe_1_0.chain_i",
            "u_pe_1_1.chain_i",
            "u_pe_1_3.chain_i",
            "u_pe_2_0.chain_i",
            "u_pe_2_1.chain_i",
            "u_pe_2_2.chain_i",
            "u_pe_3_0.chain_i",
            "u_pe_3_1.chain_i",
            "u_pe_3_3.chain_i",
            "u_pe_4_0.chain_i",
        ],
        change: "lowest bit",
        reason: AFTER_THE_CHAIN,
    },
    Equivalent {
        module: "tile",
        places: &[
            "u_pe_1_0.chain_exponent_i",
            "u_pe_1_1.chain_exponent_i",
            "u_pe_2_0.chain_exponent_i",
            "u_pe_2_1.chain_exponent_i",
        ],
        change: "lowest bit",
        reason: AFTER_THE_CHAIN,
    },
    Equivalent {
        module: "tile",
        places: &["u_pe_2_0.chain_exponent_i", "u_pe_2_1.chain_exponent_i"],
        change: "the next instance's",
        reason: AFTER_THE_CHAIN,
    },
    Equivalent {
        module: "tile",
        places: &["u_pe_1_0.scale_bit_i", "u_pe_1_1.scale_bit_i", "u_pe_2_0.scale_bit_i", "u_pe_2_1.scale_bit_i"],
        change: "the next instance's",
        reason: "the PEs of a column take the same bit",
    },
    Equivalent {
        module: "tile",
        places: &["non_finite_q"],
        change: "always loads",
        reason: "without a term the flags are those of a chunk that counts already, or that the next group drops",
    },
    Equivalent {
        module: "tile",
        places: &["u_pe_3_1.chain_i", "u_pe_3_3.chain_i", "u_pe_4_0.chain_i"],
        change: "the next instance's",
        reason: AFTER_THE_CHAIN,
    },
    Equivalent {
        module: "tile",
        places: &["u_scale_2.scale_i", "u_scale_2.channel_i", "u_output_2.channel_i"],
        change: "the next instance's",
        reason: "units 2 and 3 of the only machine that has them serve the same column",
    },
    Equivalent {
        module: "tile",
        places: &[
            "u_decode_0.scale_i",
            "u_decode_0.channel_i",
            "u_decode_0.zero_point_i",
            "u_decode_2.scale_i",
            "u_decode_2.channel_i",
            "u_decode_2.zero_point_i",
        ],
        change: "the next instance's",
        reason: "units 0 and 1, and 2 and 3, of the only machine that has them serve the same column",
    },
    Equivalent {
        module: "drain_control",
        places: &["slot_zero_point_o"],
        change: "two parts swapped",
        reason: "units 0 and 1 of the only machine with zero points serve the same column",
    },
    // The plane-major machine of radix 8.
    Equivalent {
        module: "tile_control",
        places: &["operand_next_plane_q.next"],
        change: "only the first",
        reason: "the first chunk of the highest plane is marked as well, with which the accumulators start from zero anyway",
    },
    Equivalent {
        module: "tile_control",
        places: &["term_next_plane_1_q"],
        change: "always loads",
        reason: "held only behind a step that ends a group: the step in it starts the next, from zero",
    },
    Equivalent {
        module: "drain_control",
        places: &["address_1_q.next"],
        change: "two parts swapped",
        reason: "the places of the accumulators in other order, alike for reading and writing",
    },
    Equivalent {
        module: "tile_control",
        places: &["block_q.next/mux.1"],
        change: "lowest bit",
        reason: "the places of the accumulators in other order: every command starts one pass earlier",
    },
    Equivalent {
        module: "scale_unit",
        places: &["accumulators.read_enable"],
        change: "only the first",
        reason: "what no slot asked for is read and not looked at: it only takes energy",
    },
    Equivalent {
        module: "scale_unit",
        places: &["accumulators.write_enable"],
        change: "only the second",
        reason: "while the pipeline stands the same value is written again",
    },
    Equivalent {
        module: "term_generator",
        places: &[
            "special_digit/select.1/select.3",
            "special_digit/select.2/select.3",
            "special_digit/select.3/select.3",
            "special_digit/select.4/select.3",
        ],
        change: "one bit up",
        reason: "the only type of three planes has no special values",
    },
];
