//! A processing element of `mosaic-tiny` inside a rust-hdl design: simulates a dot product with rust-hdl, then prints the
//! Verilog that rust-hdl writes for the whole design.
//!
//! `cargo run -p bitmosaic-rtl --features rust-hdl --example rust_hdl_pe`

use bitmosaic_rtl::hardware::build;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::rust_hdl::Generated;
use rust_hdl_core::prelude::*;

// What `bitmosaic_rtl::rust_hdl::declaration` gives; a port that does not fit is refused with the right text.
bitmosaic_rtl::rust_hdl_ports! {
    struct PePorts {
        pub clk_i: Signal<In, Clock>,
        pub digit_i: Signal<In, Bits<12>>,
        pub activation_i: Signal<In, Bits<56>>,
        pub accumulate_i: Signal<In, Bit>,
        pub clear_i: Signal<In, Bit>,
        pub plane_i: Signal<In, Bit>,
        pub capture_i: Signal<In, Bit>,
        pub shift_i: Signal<In, Bit>,
        pub chain_i: Signal<In, Bits<26>>,
        pub chain_o: Signal<Out, Bits<26>>,
    }
}

/// Captures the sum of one step when told to.
#[derive(LogicBlock)]
struct DotProduct {
    clk: Signal<In, Clock>,
    digits: Signal<In, Bits<12>>,
    activations: Signal<In, Bits<56>>,
    start: Signal<In, Bit>,
    zero: Signal<In, Bits<26>>,
    sum: Signal<Out, Bits<26>>,
    pe: Generated<PePorts>,
}

impl Logic for DotProduct {
    #[hdl_gen]
    fn update(&mut self) {
        self.pe.clk_i.next = self.clk.val();
        self.pe.digit_i.next = self.digits.val();
        self.pe.activation_i.next = self.activations.val();
        self.pe.accumulate_i.next = self.start.val();
        self.pe.clear_i.next = true;
        self.pe.plane_i.next = false;
        self.pe.capture_i.next = self.start.val();
        self.pe.shift_i.next = false;
        self.pe.chain_i.next = self.zero.val();
        self.sum.next = self.pe.chain_o.val();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tile = build(&bitmosaic_arch::load("mosaic-tiny")?)?.tile;
    let element = tile.module("block_pe").ok_or("the tile has no block PE")?;
    let mut design = DotProduct {
        clk: Signal::default(),
        digits: Signal::default(),
        activations: Signal::default(),
        start: Signal::default(),
        zero: Signal::default(),
        sum: Signal::default(),
        pe: Generated::new(&Design::new(element.clone(), vec![])?, 1)?,
    };
    design.connect_all();
    // Digits 1, 2, 4 and -1, lowest lane first; activations 100, 10, 1 and 5.
    design.digits.next = bits(0b101_011_010_001);
    design.activations.next = bits(5 << 42 | 1 << 28 | 10 << 14 | 100);
    design.start.next = true;
    for level in [false, true, false] {
        design.clk.next = level.into();
        assert!(simulate(&mut design, 20), "rust-hdl did not settle");
    }
    assert_eq!(design.sum.val(), bits::<26>(100 + 2 * 10 + 4 - 5));
    println!("{}", generate_verilog(&design));
    Ok(())
}
