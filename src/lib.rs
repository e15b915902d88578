//! The `bitmosaic` command line: a subcommand parses, calls the rooms, prints. Exit codes: 0 done, 1 a check failed,
//! 2 bad input, 3 a needed tool is missing, 4 internal error.

mod commands;
mod error;
mod output;

use std::io::Write as _;
use std::panic;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    compare, completions, cosim, list, mapping, peers, program, quantize, reproduce, rtl, run, schema, simulate, sweep,
};
use crate::error::CliError;

/// Describe a bit-serial mixture-of-datatype LLM accelerator once: simulate it cycle by cycle and bit by bit, export it as
/// Verilog, check both.
#[derive(Debug, Parser)]
#[command(name = "bitmosaic", version)]
struct Cli {
    /// Print exactly one JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main job on the embedded default: quantize, map, simulate, verify, report
    Run(run::Arguments),
    /// Quantize the matrices of a checkpoint, with error statistics
    Quantize(quantize::Arguments),
    /// Cycles, stalls and utilization of a matrix product or of a model's phase on a design
    Simulate(simulate::Arguments),
    /// One program on several engines; bits and cycles compared
    Cosim(cosim::Arguments),
    /// Weight types and machines side by side: cycles, error, area by group
    Compare(compare::Arguments),
    /// Many designs, types, memories and models at once; a run that was killed goes on
    Sweep(sweep::Arguments),
    /// The Pareto front of a sweep's results
    Pareto(sweep::ParetoArguments),
    /// How a product is mapped onto a whole machine
    Mapping(mapping::Arguments),
    /// Published machines that skip bits, on a trace's weights beside a design
    Peers(peers::Arguments),
    /// Programs of whole machines as text and as bytes
    Program(program::Arguments),
    /// The figures of a publication beside what is computed here
    Reproduce(reproduce::Arguments),
    /// The Verilog of a design and its resources
    Rtl(rtl::Arguments),
    /// What there is: designs, models, devices, types, processing elements, engines, activations
    List(list::Arguments),
    /// JSON schemas of design files and results
    Schema(schema::Arguments),
    /// Shell completions
    Completions(completions::Arguments),
}

/// What a command ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    CheckFailed,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    let run = move || match cli.command.unwrap_or(Command::Run(run::Arguments::default())) {
        Command::Run(arguments) => run::execute(&arguments, json),
        Command::Quantize(arguments) => quantize::execute(&arguments, json),
        Command::Simulate(arguments) => simulate::execute(&arguments, json),
        Command::Cosim(arguments) => cosim::execute(&arguments, json),
        Command::Compare(arguments) => compare::execute(&arguments, json),
        Command::Sweep(arguments) => sweep::execute(&arguments, json),
        Command::Pareto(arguments) => sweep::execute_pareto(&arguments, json),
        Command::Mapping(arguments) => mapping::execute(&arguments, json),
        Command::Peers(arguments) => peers::execute(&arguments, json),
        Command::Program(arguments) => program::execute(&arguments, json),
        Command::Reproduce(arguments) => reproduce::execute(&arguments, json),
        Command::Rtl(arguments) => rtl::execute(&arguments, json),
        Command::List(arguments) => list::execute(&arguments, json),
        Command::Schema(arguments) => schema::execute(&arguments),
        Command::Completions(arguments) => completions::execute(&arguments),
    };
    let result = panic::catch_unwind(run).unwrap_or_else(|_| Err(CliError::Internal("a panic, see above".into())));
    let code = match result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::CheckFailed) => 1,
        // A closed pipe (`bitmosaic list | head`) ends the output, not the job.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.exit_code()
        }
    };
    ExitCode::from(code)
}
