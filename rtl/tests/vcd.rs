//! The value change dump of a run, read back: at every cycle each variable has the value of the simulator's net of that
//! path, and of Icarus Verilog's own dump of the same run where that is known.

#[cfg(feature = "external-tools")]
mod common;
mod program;

use std::collections::BTreeMap;

use bitmosaic_arch::load;
use bitmosaic_mappings::{PortInputs, Signals, Unit, UnitStimulus, run_unit};
use bitmosaic_rtl::hardware::build;
use bitmosaic_rtl::netlist::{CLOCK, Design};
use bitmosaic_rtl::simulate::{Simulator, VcdWriter};
use bitmosaic_rtl::unit::NetlistUnit;
use program::{STALLS, stimulus};
use vcd::{Command, Scope, ScopeItem, Value};

const PERIOD: u64 = 1000;
const SEED: u64 = 3;

fn tile() -> Design {
    build(&load("mosaic-tiny").unwrap()).unwrap().tile
}

/// A unit with something to do in every settled cycle.
struct Watched<F> {
    unit: NetlistUnit,
    watch: F,
    cycle: u64,
    /// Last beat of each stream: the testbench keeps it on the port when the stream is over.
    beats: Vec<Vec<u64>>,
}

impl<F: FnMut(&Simulator, u64)> Unit for Watched<F> {
    fn cycle(&mut self, inputs: &PortInputs<'_>, signals: &mut Signals) {
        for (i, beat) in self.beats.iter_mut().enumerate().filter(|(i, _)| inputs.valid >> i & 1 == 1) {
            *beat = inputs.data[i].to_vec();
        }
        let data = self.beats.iter().map(Vec::as_slice).collect();
        self.unit.settle(&PortInputs { data, ..inputs.clone() }, signals);
        (self.watch)(self.unit.simulator(), self.cycle);
        self.cycle += 1;
        self.unit.edge();
    }
}

/// Runs the tile; the number of cycles.
fn watched(stimulus: &UnitStimulus, watch: impl FnMut(&Simulator, u64)) -> u64 {
    let unit = NetlistUnit::new(&tile(), stimulus, SEED).unwrap();
    let mut unit = Watched { unit, watch, cycle: 0, beats: vec![Vec::new(); stimulus.inputs.len()] };
    run_unit(&mut unit, stimulus, 5000).unwrap();
    unit.cycle
}

/// The dump of a run, of the cycles from `first` on.
fn dump(stimulus: &UnitStimulus, first: u64) -> Vec<u8> {
    let mut text = Vec::new();
    let simulator = NetlistUnit::new(&tile(), stimulus, SEED).unwrap();
    let mut writer = VcdWriter::new(simulator.simulator(), "tile", PERIOD, &mut text).unwrap();
    watched(stimulus, |simulator, cycle| {
        if cycle >= first {
            writer.cycle(simulator, cycle).unwrap();
        }
    });
    writer.finish().unwrap();
    text
}

/// Bits of a variable, highest first; `x` for unknown ones.
type Bits = String;

fn letter(value: Value) -> char {
    match value {
        Value::V0 => '0',
        Value::V1 => '1',
        Value::X | Value::Z => 'x',
    }
}

/// Values at times, ascending: of each variable by path below the scope `top`.
fn read(text: &[u8], top: &str, times: &[u64]) -> Vec<BTreeMap<String, Bits>> {
    let mut parser = vcd::Parser::new(text);
    let header = parser.parse_header().unwrap();
    let mut variables = Vec::new();
    paths(header.find_scope(&top.split('.').collect::<Vec<_>>()).unwrap(), "", &mut variables);
    let mut values = BTreeMap::new();
    let mut samples = Vec::new();
    let sample = |values: &BTreeMap<vcd::IdCode, Bits>| {
        let of = |(path, code, width): &(String, vcd::IdCode, usize)| {
            let bits = values.get(code).cloned().unwrap_or_else(|| "x".repeat(*width));
            // A dump may leave out leading zeros, and leading unknown bits like them.
            let fill = if bits.starts_with('x') { "x" } else { "0" };
            (path.clone(), fill.repeat(width - bits.len()) + &bits)
        };
        variables.iter().map(of).collect()
    };
    for command in parser {
        match command.unwrap() {
            Command::Timestamp(now) => {
                while times.get(samples.len()).is_some_and(|time| *time < now) {
                    samples.push(sample(&values));
                }
            }
            Command::ChangeScalar(code, value) => drop(values.insert(code, letter(value).to_string())),
            Command::ChangeVector(code, value) => drop(values.insert(code, value.iter().map(letter).collect())),
            _ => {}
        }
    }
    while samples.len() < times.len() {
        samples.push(sample(&values));
    }
    samples
}

fn paths(scope: &Scope, prefix: &str, variables: &mut Vec<(String, vcd::IdCode, usize)>) {
    for item in &scope.items {
        match item {
            ScopeItem::Var(var) => {
                variables.push((format!("{prefix}{}", var.reference), var.code, var.size as usize));
            }
            ScopeItem::Scope(child) => paths(child, &format!("{prefix}{}.", child.identifier), variables),
            _ => {}
        }
    }
}

/// Bits of a value, highest first.
fn bits(words: &[u64], width: u32) -> Bits {
    (0..width).rev().map(|i| if words[i as usize / 64] >> (i % 64) & 1 == 1 { '1' } else { '0' }).collect()
}

#[test]
fn every_variable_has_the_value_of_its_net_in_every_cycle() {
    for (stalls, first) in STALLS.into_iter().zip([0, 7, 20]) {
        let stimulus = stimulus(&load("mosaic-tiny").unwrap(), stalls);
        let text = dump(&stimulus, first);
        let cycles = watched(&stimulus, |_, _| ());
        let times: Vec<u64> = (first..cycles).map(|cycle| cycle * PERIOD + PERIOD / 4).collect();
        let samples = read(&text, "tile", &times);
        let low: Vec<u64> = times.iter().map(|time| time + PERIOD / 2).collect();
        let low = read(&text, "tile", &low);
        assert!(samples[0].len() > 300, "{} variables", samples[0].len());
        watched(&stimulus, |simulator, cycle| {
            let Some(at) = cycle.checked_sub(first) else { return };
            for (path, value) in &samples[at as usize] {
                if path == CLOCK {
                    assert_eq!((value.as_str(), low[at as usize][path].as_str()), ("1", "0"), "cycle {cycle}");
                    continue;
                }
                let probe = simulator.probe(path).unwrap_or_else(|| panic!("no net {path}"));
                let expected = bits(&simulator.get_wide(&probe), probe.width());
                assert_eq!(*value, expected, "{path} in cycle {cycle}");
            }
        });
        // Every register and every port of the top is there.
        let simulator = Simulator::new(&tile(), SEED).unwrap();
        assert!(simulator.registers().all(|(path, _, _)| samples[0].contains_key(&path)));
        let top = tile().top().clone();
        assert!(top.inputs.iter().chain(&top.outputs).all(|port| samples[0].contains_key(&port.name)));
    }
}

#[test]
fn values_are_written_only_where_they_change() {
    let text = dump(&stimulus(&load("mosaic-tiny").unwrap(), STALLS[0]), 0);
    let text = String::from_utf8(text).unwrap();
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.split_once("$enddefinitions").unwrap().1.lines().filter(|line| line.starts_with(['b', '0', '1'])) {
        let (value, code) = line.split_once(' ').unwrap_or_else(|| line.split_at(1));
        assert_ne!(last.insert(code, value), Some(value), "{line}");
    }
    assert!(last.len() > 100);
}

#[cfg(feature = "external-tools")]
#[test]
fn icarus_dumps_the_same_values() {
    use bitmosaic_rtl::emit::testbench::{ICARUS_TOP, testbench};
    use bitmosaic_rtl::emit::verilog_files;
    use bitmosaic_rtl::unit::RESET_CYCLES;

    let folder = common::Folder::new("vcd_icarus");
    let stimulus = stimulus(&load("mosaic-tiny").unwrap(), STALLS[0]);
    let dumps = "    initial begin $dumpfile(\"icarus.vcd\"); $dumpvars(0, dut); end\nendmodule\n";
    let bench = testbench(&tile(), &stimulus);
    let bench = format!("{}{dumps}", bench.trim_end().strip_suffix("endmodule").unwrap());
    let mut files = verilog_files(&tile());
    files.extend([("testbench.v".to_string(), bench), ("icarus_top.v".to_string(), ICARUS_TOP.to_string())]);
    let beats = |stream: &bitmosaic_mappings::BeatStream| -> String {
        (0..stream.len()).map(|beat| stream.hex(beat) + "\n").collect()
    };
    let streams = stimulus.inputs.iter().map(|(name, stream, _)| (format!("{name}.hex"), beats(stream)));
    for (name, text) in files.iter().cloned().chain(streams) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    folder.run("iverilog", &[&["-g2005", "-s", "icarus_top", "-o", "tile.vvp"], &names[..]].concat());
    let commands = format!("+commands={}", stimulus.inputs[0].1.len());
    folder.run("vvp", &["tile.vvp", &commands, "+limit=5000"]);
    let theirs = std::fs::read(folder.path().join("icarus.vcd")).unwrap();

    let cycles = watched(&stimulus, |_, _| ());
    let own = read(&dump(&stimulus, 0), "tile", &(0..cycles).map(|cycle| cycle * PERIOD).collect::<Vec<_>>());
    // Rising edges at 5, 15, ...; the last of the reset cycles begins cycle 0.
    let before_edge = |cycle: u64| (u64::from(RESET_CYCLES) + cycle) * 10 + 4;
    let times: Vec<u64> = (0..cycles).map(before_edge).collect();
    let theirs = read(&theirs, "icarus_top.bench.dut", &times);
    let (mut known, mut unknown) = (0u64, 0u64);
    for (cycle, (own, theirs)) in own.iter().zip(&theirs).enumerate() {
        for (path, value) in own.iter().filter(|(path, _)| path.as_str() != CLOCK) {
            let Some(their) = theirs.get(path) else { panic!("Icarus has no {path}") };
            assert_eq!(their.len(), value.len(), "{path}");
            for (a, b) in value.chars().zip(their.chars()) {
                assert!(b == 'x' || a == b, "{path} in cycle {cycle}: {value}, Icarus {their}");
                *(if b == 'x' { &mut unknown } else { &mut known }) += 1;
            }
        }
    }
    assert!(known > 10 * unknown, "{known} known bits, {unknown} unknown ones");
}
