//! The Verilog of a block: this project's modules behind a wrapper that rust-hdl writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rust_hdl_core::prelude::Wrapper;

use crate::emit::verilog::{module_text, ram_files};
use crate::netlist::{CLOCK, Design, RESET};

/// The wrapper's body, an instance of the top module, and all modules.
///
/// rust-hdl repeats the modules for every block, and two designs may have modules of one name. So a module's name ends in
/// the hash of its text, and a module already read is passed over.
pub(super) fn wrapper(design: &Design) -> Wrapper {
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut cores = String::new();
    for (file, text) in ram_files(design) {
        guarded(&mut cores, file.trim_end_matches(".v"), &text);
    }
    for module in design.modules_in_order() {
        let mut renamed = module.clone();
        for instance in &mut renamed.instances {
            if let Some(name) = names.get(instance.module.as_str()) {
                instance.module = name.clone();
            }
        }
        renamed.name = format!("{}_{:08x}", module.name, hash(&module_text(&renamed)));
        guarded(&mut cores, &renamed.name, &module_text(&renamed));
        names.insert(&module.name, renamed.name);
    }
    let top = design.top();
    let mut pins: Vec<&str> = Vec::new();
    pins.extend(top.is_clocked().then_some(CLOCK));
    pins.extend(top.is_resettable().then_some(RESET));
    pins.extend(top.inputs.iter().chain(&top.outputs).map(|port| port.name.as_str()));
    let pins: Vec<String> = pins.iter().map(|pin| format!("    .{pin} ({pin})")).collect();
    let code = format!("{} u_{} (\n{}\n);\n", names[top.name.as_str()], top.name, pins.join(",\n"));
    Wrapper { code, cores }
}

fn guarded(text: &mut String, module: &str, body: &str) {
    let guard = format!("BITMOSAIC_{module}");
    let _ = write!(text, "`ifndef {guard}\n`define {guard}\n{body}`endif\n");
}

/// FNV-1a, folded to 32 bits.
fn hash(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32 ^ hash) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::build;

    #[test]
    fn modules_of_one_name_and_different_text_stay_apart() {
        let wrapper = |design: &str| wrapper(&build(&bitmosaic_arch::load(design).unwrap()).unwrap().tile);
        let modules = |text: &str| -> Vec<String> {
            let names = text.lines().filter_map(|line| line.strip_prefix("module "));
            names.map(|name| name.trim_end_matches(" (").to_string()).collect()
        };
        let (small, large) = (wrapper("mosaic-tiny"), wrapper("mosaic-tile"));
        let (small, large) = (modules(&small.cores), modules(&large.cores));
        let element = |names: &[String]| names.iter().find(|name| name.starts_with("block_pe_")).unwrap().clone();
        assert_ne!(element(&small), element(&large));
        assert_ne!(small.last(), large.last());
        // The output stage does not depend on the design: one text, one name.
        assert!(small.iter().any(|name| name.starts_with("output_stage_") && large.contains(name)));
    }
}
