use bitmosaic_arch::ArchError;
use bitmosaic_cosim::CosimError;
use bitmosaic_explore::ExploreError;
use bitmosaic_kernels::KernelError;
use bitmosaic_mappings::MappingError;
use bitmosaic_numerics::NumericsError;
use bitmosaic_reports::ReportsError;
use bitmosaic_rtl::emit::readme::BundleError;
use bitmosaic_rtl::netlist::NetlistError;
use bitmosaic_workloads::WorkloadsError;

/// Why a command did not do its job; each kind has its exit code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Arch(#[from] ArchError),
    #[error(transparent)]
    Mapping(#[from] MappingError),
    #[error(transparent)]
    Numerics(#[from] NumericsError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Workloads(#[from] WorkloadsError),
    #[error(transparent)]
    Cosim(#[from] CosimError),
    #[error(transparent)]
    Report(#[from] ReportsError),
    #[error(transparent)]
    Explore(#[from] ExploreError),
    #[error("{option}: {found}; {expected}")]
    Option { option: String, found: String, expected: String },
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error("internal error: {0}; please report it with the command line")]
    Internal(String),
}

impl From<BundleError> for CliError {
    fn from(error: BundleError) -> CliError {
        CliError::Internal(error.to_string())
    }
}

impl From<NetlistError> for CliError {
    fn from(error: NetlistError) -> CliError {
        CliError::Internal(error.to_string())
    }
}

impl CliError {
    pub(crate) fn option(option: &str, found: impl ToString, expected: impl ToString) -> CliError {
        CliError::Option { option: option.into(), found: found.to_string(), expected: expected.to_string() }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CliError::Cosim(CosimError::MissingTool { .. }) => 3,
            CliError::Cosim(
                CosimError::Watchdog { .. }
                | CosimError::ArrayWatchdog { .. }
                | CosimError::Unknown { .. }
                | CosimError::Protocol { .. }
                | CosimError::Differs { .. },
            ) => 1,
            CliError::Cosim(CosimError::Netlist(_) | CosimError::Tool { .. }) => 4,
            CliError::Internal(_) | CliError::Explore(ExploreError::Internal(_)) => 4,
            _ => 2,
        }
    }
}
