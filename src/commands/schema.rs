use bitmosaic_arch::DesignSpec;
use bitmosaic_results::{
    CompareDocument, CosimDocument, ListDocument, MappingDocument, ParetoDocument, PeersDocument, ProgramDocument,
    QuantizeDocument, ReproduceDocument, RtlDocument, RunDocument, SimulateDocument, SweepDocument,
};
use schemars::{Schema, schema_for};

use crate::error::CliError;
use crate::{Outcome, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    of: Of,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Of {
    /// Design files
    Design,
    /// The document that a command prints with --json
    Result {
        /// Command
        command: ResultOf,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ResultOf {
    Run,
    Quantize,
    Simulate,
    Cosim,
    Compare,
    Sweep,
    Pareto,
    Mapping,
    Peers,
    Program,
    Reproduce,
    Rtl,
    List,
}

pub(crate) fn execute(arguments: &Arguments) -> Result<Outcome, CliError> {
    let schema: Schema = match arguments.of {
        Of::Design => schema_for!(DesignSpec),
        Of::Result { command } => match command {
            ResultOf::Run => schema_for!(RunDocument),
            ResultOf::Quantize => schema_for!(QuantizeDocument),
            ResultOf::Simulate => schema_for!(SimulateDocument),
            ResultOf::Cosim => schema_for!(CosimDocument),
            ResultOf::Compare => schema_for!(CompareDocument),
            ResultOf::Sweep => schema_for!(SweepDocument),
            ResultOf::Pareto => schema_for!(ParetoDocument),
            ResultOf::Mapping => schema_for!(MappingDocument),
            ResultOf::Peers => schema_for!(PeersDocument),
            ResultOf::Program => schema_for!(ProgramDocument),
            ResultOf::Reproduce => schema_for!(ReproduceDocument),
            ResultOf::Rtl => schema_for!(RtlDocument),
            ResultOf::List => schema_for!(ListDocument),
        },
    };
    output::print_json(&schema)?;
    Ok(Outcome::Done)
}
