//! rust-hdl behind the interface that every engine has.

use bitmosaic_mappings::{PortInputs, Signals, Unit, ports};
use bitmosaic_rtl::rust_hdl::{Generated, PortValue};
use bitmosaic_rtl::unit::RESET_CYCLES;
use rust_hdl_core::prelude::*;

use super::ports::TilePorts;

/// The tile of `mosaic-tiny` as a rust-hdl design of its own, simulated by rust-hdl.
pub struct RustHdlTile(Generated<TilePorts>);

impl RustHdlTile {
    /// The tile after reset.
    pub fn new() -> RustHdlTile {
        let mut block = super::block::<TilePorts>(&super::tile());
        block.connect_all();
        check_all(&block).unwrap();
        let mut tile = RustHdlTile(block);
        tile.0.rst_i.next = true;
        for _ in 0..RESET_CYCLES {
            tile.edge();
        }
        tile.0.rst_i.next = false;
        tile
    }

    fn settle(&mut self) {
        assert!(simulate(&mut self.0, 20), "rust-hdl did not converge");
    }

    fn edge(&mut self) {
        for level in [true, false] {
            self.0.clk_i.next = Clock { clk: level };
            self.settle();
        }
    }
}

impl Unit for RustHdlTile {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        let tile = &mut self.0;
        let valid = |i: usize| inputs.valid >> i & 1 == 1;
        tile.command_valid_i.next = valid(0);
        tile.weight_valid_i.next = valid(1);
        tile.activation_valid_i.next = valid(2);
        tile.scale_valid_i.next = valid(3);
        tile.channel_valid_i.next = valid(4);
        tile.exponent_valid_i.next = valid(5);
        tile.command_data_i.next = Bits::from_words(inputs.data[0]);
        tile.weight_data_i.next = Bits::from_words(inputs.data[1]);
        tile.activation_data_i.next = Bits::from_words(inputs.data[2]);
        tile.scale_data_i.next = Bits::from_words(inputs.data[3]);
        tile.channel_data_i.next = Bits::from_words(inputs.data[4]);
        tile.exponent_data_i.next = Bits::from_words(inputs.data[5]);
        tile.output_ready_i.next = inputs.output_ready;
        self.settle();
        let tile = &self.0;
        let mask = |bits: &[bool]| bits.iter().rev().fold(0, |mask, bit| mask << 1 | u32::from(*bit));
        signals.ready = mask(&[
            tile.command_ready_o.val(),
            tile.weight_ready_o.val(),
            tile.activation_ready_o.val(),
            tile.scale_ready_o.val(),
            tile.channel_ready_o.val(),
            tile.exponent_ready_o.val(),
        ]);
        let status =
            [&tile.compute_o, &tile.stall_operand_o, &tile.stall_scale_unit_o, &tile.stall_output_o].map(|s| s.val());
        assert_eq!(status.len(), ports::TILE_STATUS.len());
        signals.status = mask(&status);
        signals.retire = tile.retire_o.val();
        signals.output_valid = tile.output_valid_o.val();
        signals.output = tile.output_data_o.val().to_words();
        self.edge();
    }
}
