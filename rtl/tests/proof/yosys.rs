//! Claims to yosys' SAT solver.

use std::fs;

use bitmosaic_rtl::emit::verilog_files;
use bitmosaic_rtl::netlist::Design;

use crate::common::Folder;

/// Longest search for one claim in seconds, an order of magnitude above what the slowest takes.
const SECONDS: u32 = 60;
const PROVEN: &str = "SAT proof finished - no model found: SUCCESS!";
const REFUTED: &str = "SAT proof finished - model found: FAIL!";

/// One question to the solver: an output of module `property` is 1.
pub struct Claim<'a> {
    /// What it says.
    pub name: &'a str,
    /// The output.
    pub output: &'a str,
    /// Where.
    pub given: Given<'a>,
    /// Arguments of yosys' `sat` that name what a counterexample shows.
    pub show: &'a str,
}

/// What a claim may assume; everything else is free.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// Nothing, in a circuit without state.
    Nothing,
    /// This signal has this value in the same cycle.
    Now(&'a str, u8),
    /// This signal is 1 in the cycle before.
    Before(&'a str),
}

/// What module `property` speaks of.
#[derive(Default)]
pub struct Subject<'a> {
    /// Its Verilog text; it instantiates the design's top.
    pub property: String,
    /// Modules without their insides: their outputs are free, which claims more than is needed.
    pub emptied: &'a [&'a str],
    /// Wires of the property without a driver, and the net of the flat design that each shows.
    pub shown: Vec<(String, String)>,
    /// A net of the flat design that is free too.
    pub free: Option<&'a str>,
}

/// Writes the Verilog of the design and the property into the folder, reads it and checks the claims in order.
///
/// # Errors
/// The first claim that does not hold, with the counterexample, or that the solver leaves undecided.
pub fn prove(folder: &Folder, design: &Design, subject: &Subject<'_>, claims: &[Claim<'_>]) -> Result<(), String> {
    let mut files = verilog_files(design);
    files.push(("property.v".to_string(), subject.property.clone()));
    for (name, text) in &files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let mut lines = vec![format!("read_verilog {}", names.join(" "))];
    lines.extend(["hierarchy -check -top property", "proc -norom"].map(String::from));
    lines.extend(subject.emptied.iter().map(|module| format!("delete {module}/t:*")));
    lines.extend(["flatten", "cd property"].map(String::from));
    if !subject.shown.is_empty() {
        let (wires, nets): (Vec<&str>, Vec<&str>) = subject.shown.iter().map(|(w, n)| (w.as_str(), n.as_str())).unzip();
        lines.push(format!("connect -nounset -set {} {}", wires.join(","), nets.join(",")));
    }
    lines.extend(subject.free.map(|net| format!("cutpoint w:{net}")));
    // Constants go through the copies of the design. No pass that touches registers: their first state must stay free.
    lines.extend(["opt_expr", "opt_muxtree", "opt_expr", "opt_clean", "cd"].map(String::from));
    for claim in claims {
        let Claim { output, given, show, .. } = claim;
        let (arguments, signal) = match given {
            Given::Nothing => (String::new(), output),
            Given::Now(signal, value) => (format!("-seq 1 -set-at 1 {signal} {value}"), signal),
            Given::Before(signal) => (format!("-seq 2 -prove-skip 1 -set-at 1 {signal} 1"), signal),
        };
        // Only what the output and the signal depend on is looked at.
        let cone = format!("property/{output} property/{signal} %u %ci*");
        lines.push(format!("sat -timeout {SECONDS} {arguments} -prove {output} 1 {show} {cone}"));
    }
    fs::write(folder.path().join("prove.ys"), lines.join("\n")).unwrap();
    let said = folder.run("yosys", &["-Q", "-T", "-s", "prove.ys"]);
    let mut answers = said.split("Executing SAT pass").skip(1);
    for claim in claims {
        let answer = answers.next().unwrap_or_default();
        if let Some((_, model)) = answer.split_once(REFUTED) {
            let table = model.lines().skip_while(|l| !l.contains("Signal Name")).take_while(|l| !l.trim().is_empty());
            let table: Vec<&str> = table.collect();
            return Err(format!(
                "{} ({}) does not hold; a counterexample:\n{}",
                claim.name,
                claim.output,
                table.join("\n")
            ));
        }
        if !answer.contains(PROVEN) {
            return Err(format!("{}: no answer; yosys said:\n{answer}", claim.name));
        }
    }
    Ok(())
}
