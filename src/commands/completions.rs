use clap::CommandFactory;
use clap_complete::Shell;

use crate::error::CliError;
use crate::{Cli, Outcome, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Shell to complete for
    shell: Shell,
}

pub(crate) fn execute(arguments: &Arguments) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "bitmosaic", &mut script);
    output::print_text(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}
