//! The page beside the exported Verilog says what the engines and the Verilog do: cycles of every product it lists, captures
//! of its waveform, every port of every top module.

use bitmosaic_arch::{Machine, load, presets};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::random_array::array_design;
use bitmosaic_cosim::vectors::vectors;
use bitmosaic_cosim::{Case, Engine, ExternalSettings, run_engine};
use bitmosaic_mappings::{Latency, Stalls, matmul_command};
use bitmosaic_rtl::emit::{bundle::array_bundle, readme::readme, verilog_files};
use bitmosaic_rtl::hardware::{Units, build};
use rayon::prelude::*;

fn pages() -> Vec<(Machine, Units, String)> {
    let named = presets().iter().map(|preset| load(preset.name).unwrap()).collect::<Vec<_>>();
    let random = (0..16).map(|seed| random::machine(&mut Random::new(seed), 16).unwrap());
    let page = |machine: Machine| {
        let units = build(&machine).unwrap();
        let text = readme(&machine, &units).unwrap();
        (machine, units, text)
    };
    named.into_iter().chain(random).map(page).collect()
}

/// Cells of the rows of the table under the head that starts so.
fn rows<'a>(text: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let after = text.split_once(&format!("| {head}")).unwrap_or_else(|| panic!("no table {head}")).1;
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn cycles_on_the_page_are_those_of_the_engines() {
    pages().into_par_iter().for_each(|(machine, _, text)| {
        let table = rows(&text, "type | group | product");
        assert_eq!(table.len(), 4 * machine.types.len());
        for row in table {
            let [name, group, product, _, _, cycles] = row[..] else { panic!("{row:?}") };
            let sizes: Vec<usize> = product.split('x').map(|size| size.parse().unwrap()).collect();
            let [tokens, input_channels, output_channels] = sizes[..] else { panic!("{product}") };
            let group: usize = group.parse().unwrap();
            let shape = LayerShape { tokens, output_channels, input_channels, group };
            let executed = machine.types.iter().find(|executed| executed.weight_type.name == name).unwrap();
            let layer = random::layer(&mut Random::new(3), &machine, &executed.weight_type, shape, Activation::Normal);
            let case = Case::new(machine.clone(), vec![layer], Stalls::NONE, 1).unwrap();
            let run = |engine| run_engine(&case, engine, &ExternalSettings::default()).unwrap().tile.cycles();
            assert_eq!(run(Engine::Simulator).to_string(), cycles, "{} {row:?}", machine.name);
            if run(Engine::Simulator) < 1000 {
                assert_eq!(run(Engine::Netlist).to_string(), cycles, "{} {row:?}", machine.name);
            }
        }
    });
}

#[test]
fn the_waveform_captures_where_the_formula_says() {
    for (machine, _, text) in pages() {
        let executed = &machine.types[0].weight_type;
        let k = (2 * machine.pe.lanes).max(machine.entry_channels).min(machine.max_group) as usize;
        let shape = [machine.tile.rows as usize, 2 * machine.tile.columns as usize, k];
        let matmul =
            matmul_command(&machine, executed.name, executed.special_values(), executed.scale_kind(), k, shape)
                .unwrap();
        let latency = Latency::new(&machine, &matmul);
        let captures = format!("captures in cycles {}, {};", latency.first_capture, latency.last_capture);
        assert!(text.contains(&captures), "{}: no `{captures}`", machine.name);
        assert!(text.contains(&format!(" to {}; commands retire", latency.last_output)), "{}", machine.name);
    }
}

#[test]
fn every_port_of_the_verilog_is_on_the_page() {
    for (machine, units, text) in pages() {
        for design in units.designs() {
            let top = &design.top().name;
            let section = text.split_once(&format!("## Ports of `{top}`")).unwrap().1;
            let listed = rows(section, "port | direction | bits");
            let listed: Vec<String> = listed.iter().map(|row| format!("{} {} {}", row[1], row[2], row[0])).collect();
            let (_, verilog) = verilog_files(design).into_iter().find(|(file, _)| *file == format!("{top}.v")).unwrap();
            let head = verilog.split_once(&format!("module {top} (")).unwrap().1.split_once(");").unwrap().0;
            let written = head.lines().filter_map(|line| {
                let line = line.split("//").next().unwrap_or_default().trim().trim_end_matches(',');
                let (direction, rest) = line.split_once("wire")?;
                let (range, name) = rest.trim().rsplit_once(' ').unwrap_or(("", rest.trim()));
                let high = range.trim().trim_start_matches('[').split(':').next().and_then(|high| high.parse().ok());
                Some(format!("{} {} `{name}`", direction.trim(), high.map_or(1, |high: u32| high + 1)))
            });
            assert_eq!(listed, written.collect::<Vec<_>>(), "{} {top}", machine.name);
            // Each stream has its rows in the waveform.
            let drawn = text.split_once("## Timing").unwrap().1;
            let streams = design.top().inputs.iter().chain(&design.top().outputs);
            for port in streams.filter(|p| p.name.contains("_valid_") || p.name.contains("_ready_")) {
                assert!(drawn.contains(&format!("\n{} ", port.name)), "{} {}", machine.name, port.name);
            }
        }
    }
}

/// Every preset with an array and some random whole machines.
fn whole_machines() -> Vec<(Machine, Units)> {
    let named = presets().iter().map(|preset| load(preset.name).unwrap()).filter(|machine| machine.array.is_some());
    let random =
        (0..12).map(|seed| bitmosaic_arch::elaborate(&array_design(&mut Random::new(seed)), "random").unwrap());
    let with_units = |machine: Machine| {
        let units = build(&machine).unwrap();
        (machine, units)
    };
    named.chain(random).map(with_units).collect()
}

#[test]
fn no_output_of_a_whole_machine_depends_on_an_input_within_a_cycle() {
    for (machine, units) in whole_machines() {
        let top = units.array.as_ref().unwrap().top();
        for (port, paths) in top.outputs.iter().zip(top.combinational_inputs()) {
            let inputs: Vec<&str> = paths.iter().map(|input| top.inputs[*input].name.as_str()).collect();
            assert!(inputs.is_empty(), "{}: {} depends on {inputs:?}", machine.name, port.name);
        }
    }
}

#[test]
fn the_bundle_of_a_whole_machine_says_what_its_verilog_is() {
    for (machine, units) in whole_machines() {
        let files = array_bundle(&machine, &units, &vectors(&machine).unwrap());
        let file = |name: &str| &files.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("{name}")).1;
        for (name, text) in &files {
            let hole = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            assert!(!text.split('@').any(hole), "{name}: a hole");
        }
        // Every source is listed once, in the list and in the core.
        let sources: Vec<&str> = file("files.f").lines().collect();
        for source in files.iter().filter(|(name, _)| name.starts_with("rtl/")) {
            assert_eq!(sources.iter().filter(|listed| **listed == source.0).count(), 1);
            assert_eq!(file("bitmosaic.core").matches(&format!("- {}\n", source.0)).count(), 1, "{}", source.0);
        }
        // Every port of the wrapper has its row, in order.
        let page = file("README.md");
        let section = page.split_once("## Ports of `bitmosaic`").unwrap().1;
        let listed = rows(section, "port | direction | bits").into_iter();
        let listed: Vec<String> = listed.map(|row| format!("{} {} {}", row[1], row[2], row[0])).collect();
        let written = file("rtl/bitmosaic.v").lines().filter_map(|line| {
            let line = line.trim().trim_end_matches(',');
            let (direction, rest) = line.split_once(" wire ").or_else(|| line.split_once("  wire "))?;
            let (range, name) = rest.rsplit_once(' ').unwrap_or(("", rest));
            let high = range.trim().trim_start_matches('[').split(':').next().and_then(|high| high.parse().ok());
            Some(format!("{} {} `{name}`", direction.trim(), high.map_or(1, |high: u32| high + 1)))
        });
        assert_eq!(listed, written.collect::<Vec<_>>(), "{}", machine.name);
        // Every register has one address everywhere, and no two share it.
        let registers = rows(page, "offset | register | meaning");
        let mut addresses: Vec<&str> = registers.iter().map(|row| row[0]).collect();
        for row in &registers {
            let (address, name) = (row[0].trim_start_matches("0x"), row[1].trim_matches('`'));
            let python = format!("\"{name}\": 0x{},", address.to_uppercase());
            assert!(file("cocotb/test_bitmosaic.py").contains(&python), "{python}");
            assert!(file("package_ip.tcl").contains(&format!("    0x{address} {name} {{")), "{name}");
        }
        addresses.dedup();
        assert_eq!(addresses.len(), registers.len());
    }
}
