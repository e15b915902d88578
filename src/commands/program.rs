use std::path::PathBuf;

use bitmosaic_arch::load;
use bitmosaic_mappings::Program;
use bitmosaic_results::{ProgramDocument, SCHEMA_VERSION};

use super::simulate::array_program;
use crate::error::CliError;
use crate::{Outcome, output};

/// Largest program file that is read: two million commands.
const MAX_BYTES: u64 = 1 << 26;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// A program as text, a command a line: of a binary file, or lowered for a product
    Show(Show),
    /// Binary commands out of text
    Assemble(Assemble),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Binary program; without it, --design and --matmul
    #[arg(required_unless_present = "matmul", conflicts_with = "matmul")]
    file: Option<PathBuf>,
    /// Whole machine that the program is checked for, or lowered for
    #[arg(long, required_unless_present = "file")]
    design: Option<String>,
    /// Matrix product: tokens x input channels x output channels
    #[arg(long, value_name = "MxKxN")]
    matmul: Option<String>,
    /// Weight type
    #[arg(long = "type", default_value = "bitmod-fp4")]
    weight_type: String,
    /// Input channels per group
    #[arg(long, default_value_t = 128)]
    group: usize,
    /// Mapping: a name of `bitmosaic list mappings`, or a TOML file
    #[arg(long, default_value = "best")]
    mapping: String,
    /// Write the binary program too
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Assemble {
    /// Text, as `program show` prints it
    file: PathBuf,
    /// Whole machine that the program is checked for
    #[arg(long)]
    design: Option<String>,
    /// File for the binary program
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let (program, output) = match &arguments.action {
        Action::Show(show) => (self::show(show)?, &show.output),
        Action::Assemble(assemble) => (self::assemble(assemble)?, &Some(assemble.output.clone())),
    };
    if let Some(path) = output {
        std::fs::write(path, program.to_bytes())
            .map_err(|e| CliError::File { path: path.display().to_string(), reason: e.to_string() })?;
    }
    let commands: Vec<String> = program.commands.iter().map(|command| command.to_string()).collect();
    if json {
        output::print_json(&ProgramDocument { schema_version: SCHEMA_VERSION, commands })?;
    } else {
        output::print_text(&program.to_text())?;
    }
    Ok(Outcome::Done)
}

fn show(arguments: &Show) -> Result<Program, CliError> {
    let Some(path) = &arguments.file else {
        let design = arguments.design.as_deref().unwrap_or_default();
        let matmul = arguments.matmul.as_deref().unwrap_or_default();
        let product = (matmul, &arguments.weight_type[..], arguments.group);
        return array_program(&load(design)?, product, &arguments.mapping);
    };
    let bytes = read(path)?;
    checked(path, Program::from_bytes(&bytes), arguments.design.as_deref())
}

fn assemble(arguments: &Assemble) -> Result<Program, CliError> {
    let path = &arguments.file;
    let text = String::from_utf8(read(path)?)
        .map_err(|e| CliError::File { path: path.display().to_string(), reason: format!("no text: {e}") })?;
    checked(path, Program::from_text(&text), arguments.design.as_deref())
}

/// A program of a file, which the design's machine, if one is named, can execute.
fn checked(
    path: &std::path::Path,
    program: Result<Program, bitmosaic_mappings::MappingError>,
    design: Option<&str>,
) -> Result<Program, CliError> {
    let of_file = |e: bitmosaic_mappings::MappingError| CliError::File {
        path: path.display().to_string(),
        reason: e.to_string(),
    };
    let program = program.map_err(of_file)?;
    if let Some(design) = design {
        program.check(&load(design)?).map_err(of_file)?;
    }
    Ok(program)
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, CliError> {
    let error = |reason: String| CliError::File { path: path.display().to_string(), reason };
    let size = std::fs::metadata(path).map_err(|e| error(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(error(format!("{size} bytes; a program file has at most {MAX_BYTES}")));
    }
    std::fs::read(path).map_err(|e| error(e.to_string()))
}
