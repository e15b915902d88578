//! Faults: changes of one operation, register or connection of the built netlist, in memory. No product code knows them.
//! Everything in every module has its mutants ([`mutants`]); the ones worth a name are in [`FAULTS`].

mod array;
mod mutants;

use bitmosaic_rtl::hardware::Units;
use bitmosaic_rtl::netlist::{Design, NetId, NetlistError, Op, Register};

pub use array::{ARRAY_FAULTS, ENTRY_FAULTS};
use mutants::mutants_of_module;
pub use mutants::{array_mutants, mutants};

/// A fault with a name.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Name.
    pub name: &'static str,
    /// Module that is changed.
    pub module: &'static str,
    /// Place that is changed, see [`Mutant::place`].
    pub place: &'static str,
    /// What is done there, see [`Mutant::change`].
    pub change: &'static str,
}

const fn fault(name: &'static str, module: &'static str, place: &'static str, change: &'static str) -> Fault {
    Fault { name, module, place, change }
}

/// The named faults.
pub const FAULTS: &[Fault] = &[
    fault("special-digit-of-another-selector", "term_generator", "special_digit", "rotated"),
    fault("outliers-beside-all-but-victims", "term_generator", "beside_victim_1", "unequal"),
    fault("lane-sign-or", "block_pe", "signed_0", "or"),
    fault("last-lane-sign-or", "block_pe", "signed_7", "or"),
    fault("group-sum-without-its-start", "block_pe", "accumulator_d/truncate.0/truncate.0/add.0/add.0", "swapped"),
    fault(
        "accumulator-stays-between-planes",
        "block_pe",
        "accumulator_d/truncate.0/truncate.0/add.0/add.0/mux.2",
        "swapped",
    ),
    fault("triple-not-doubled", "tile", "triple_0_0", "only the second"),
    fault("triple-without-its-single", "tile", "triple_1_3", "only the first"),
    fault("weight-without-its-activation", "int_pe", "product_1", "only the first"),
    fault("product-shifted-by-another-amount", "int_pe", "product_2", "rotated"),
    fault("lane-left-out", "int_pe", "tree_q.next", "only the first"),
    fault("upper-half-weighs-as-the-lower", "int_pe", "accumulator_d/truncate.0/add.1", "rotated"),
    fault("integer-group-sum-without-its-start", "int_pe", "accumulator_d/truncate.0/add.0", "swapped"),
    fault("largest-exponent-the-smallest", "float_pe", "largest", "swapped"),
    fault("aligned-product-not-negated", "float_pe", "aligned_0/reinterpret.0", "and"),
    fault("float-sum-never-rounds-up", "float_pe", "accumulator_d/truncate.0", "only the first"),
    fault("zero-product-keeps-its-exponent", "float_pe", "lane_exponent_1", "swapped"),
    fault("weight-alone-as-the-product", "mac_pe", "product_1", "only the first"),
    fault("product-with-the-weight's-exponent", "mac_pe", "lane_exponent_0/mux.1/truncate.0", "only the first"),
    fault("zero-product-with-an-exponent", "mac_pe", "lane_exponent_1", "swapped"),
    fault("mac-sum-never-rounds-up", "mac_pe", "accumulator_d/truncate.0", "only the first"),
    fault("group-sum-without-its-exponent", "mac_pe", "hold_exponent_q.next", "swapped"),
    fault("weight-subnormals-one-exponent-off", "weight_decoder", "digit_o/concat.2", "swapped"),
    fault("pe-pipeline-stops-at-a-group-end", "tile_control", "advance", "only the first"),
    fault("group-ends-without-metadata", "tile_control", "capture", "or"),
    fault("scale-units-move-while-blocked", "tile_control", "moving", "not inverted"),
    fault("chunk-loads-into-a-full-register", "tile_control", "load", "or"),
    fault("step-without-operands", "tile_control", "step", "or"),
    fault("restart-on-any-command", "tile_control", "start", "or"),
    fault("short-groups-go-on", "tile_control", "at_group_end", "only the first"),
    fault("accumulator-moves-with-every-chunk", "tile_control", "operand_next_plane_q.next", "only the second"),
    fault("planes-never-restart", "tile_control", "next_plane_q.next/mux.2", "swapped"),
    fault("group-ends-with-every-plane", "tile_control", "at_group_end", "or"),
    fault("group-read-again", "tile_control", "input_channel_q.next/mux.2/mux.0", "only the first"),
    fault("hold-chains-free-too-early", "drain_control", "hold_free", "and"),
    fault("slots-leave-while-blocked", "drain_control", "issue", "or"),
    fault("non-finite-flag-of-the-last-group-only", "drain_control", "non_finite_d", "only the first"),
    fault("exponent-of-another-row", "drain_control", "slot_exponent_o/concat.0", "rotated"),
    fault("scale-of-another-column", "drain_control", "slot_scale_o/concat.0", "rotated"),
    fault("zero-point-added", "scale_decoder", "sum_q.next/truncate.0", "swapped"),
    fault("significand-of-another-kind", "scale_decoder", "significand_q.next", "swapped"),
    fault("exponent-of-another-kind", "scale_decoder", "exponent_q.next/add.1", "swapped"),
    fault("scale-exponent-left-out", "scale_decoder", "exponent_q.next", "only the first"),
    fault("activation-sum-of-another-row", "drain_control", "slot_activation_sum_o/concat.0", "rotated"),
    fault("activation-sum-of-the-last-beat", "aligner", "sum_q.next/truncate.0", "only the second"),
    fault("activation-sum-never-restarts", "aligner", "sum_q.next/truncate.0/add.0", "swapped"),
    fault("scaled-sum-cut-off", "scale_unit", "value_rounds_up", "only the second"),
    fault("addends-never-swapped", "scale_unit", "swap", "swapped"),
    fault("smaller-addend-half-aligned", "scale_unit", "smaller_down_8", "swapped"),
    fault("sum-not-normalized", "scale_unit", "total_up_1", "swapped"),
    fault("sum-always-rounds-up", "scale_unit", "sum_rounds_up", "only the first"),
    fault("exact-zero-not-positive", "scale_unit", "accumulator_d", "swapped"),
    fault("slots-in-flight-miscounted", "drain_control", "in_flight_q.next/truncate.0", "only the first"),
    fault("accumulator-of-another-slot", "scale_unit", "addend_q.next/mux.1", "rotated"),
    fault("output-keeps-an-older-sign", "output_stage", "sign_11_q", "always loads"),
    fault("product-rounds-ties-up", "output_stage", "single_rounds_up", "only the first"),
    fault("exponent-without-fraction-bits", "output_stage", "field", "swapped"),
    fault("subnormal-half-shifted", "output_stage", "significand_down_4", "swapped"),
    fault("output-rounds-without-its-guard", "output_stage", "half_rounds_up", "only the second"),
    fault("aligner-overwrites", "aligner", "take", "or"),
    fault("aligner-reads-an-empty-buffer", "aligner", "fetch", "or"),
    fault("largest-exponent-of-the-beat-only", "aligner", "exponent_d", "swapped"),
    fault("distance-the-wrong-way", "align_lane", "distance", "only the second"),
    fault("activation-half-shifted", "align_lane", "significand_down_4", "swapped"),
    fault("activation-rounds-ties-up", "align_lane", "rounds_up", "only the first"),
];

/// A change of one thing in one of the machine's modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// Module.
    pub module: String,
    /// What is changed: a net with a name, or an operand's way down to one (`field/sub.1/extend.0` is the operand of the
    /// extension that is the second operand of the subtraction that drives `field`). Does not hang on numbered names.
    pub place: String,
    /// What is done to it, in a word or two that tells the mutants of a place apart.
    pub change: &'static str,
    /// The change.
    pub edit: Edit,
}

/// A change of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Another operation in the place of this one.
    Operation(usize, Op),
    /// Another register in the place of this one, of the same net.
    Register(usize, Register),
    /// Another net at an input of an instance: instance, input, net.
    Connection(usize, usize, NetId),
}

/// The mutant of a named fault: of a tile or aligner, or of a whole machine's modules.
pub fn mutant_of(units: &Units, fault: &Fault) -> Option<Mutant> {
    let is_it = |m: &Mutant| m.place == fault.place && m.change == fault.change;
    let mut modules = units.designs().chain(&units.array).flat_map(Design::modules_in_order);
    mutants_of_module(modules.find(|module| module.name == fault.module)?).into_iter().find(is_it)
}

/// Plants a mutant wherever its module stands.
///
/// # Errors
/// A combinational loop through instances, or another broken rule.
pub fn plant(units: &mut Units, mutant: &Mutant) -> Result<(), NetlistError> {
    let plant = |design: &mut Design| {
        let Some(module) = design.module_mut(&mutant.module) else { return Ok(()) };
        mutant.edit.apply(module);
        design.relink();
        design.check()
    };
    units.designs_mut().try_for_each(plant)?;
    units.array.as_mut().map_or(Ok(()), plant)
}
