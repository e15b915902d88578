use bitmosaic_arch::ArchError;
use bitmosaic_mappings::{MappingError, Watchdog};
use bitmosaic_rtl::netlist::NetlistError;

/// Why a co-simulation could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CosimError {
    /// The design.
    #[error(transparent)]
    Arch(#[from] ArchError),
    /// The program or its operands.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The host reference refuses the operands.
    #[error(transparent)]
    Kernel(#[from] bitmosaic_kernels::KernelError),
    /// The netlist breaks a rule.
    #[error("internal error in the netlist: {0}")]
    Netlist(#[from] NetlistError),
    /// An engine hung.
    #[error("engine {engine}, {unit}: {watchdog}")]
    Watchdog {
        /// Engine.
        engine: &'static str,
        /// Unit.
        unit: &'static str,
        /// What it got through.
        watchdog: Watchdog,
    },
    /// A tool that was asked for is not installed.
    #[error("`{tool}` is not installed; install the Debian package `{package}` (apt-get install {package})")]
    MissingTool {
        /// Program.
        tool: &'static str,
        /// Debian package.
        package: &'static str,
    },
    /// A tool failed or took too long.
    #[error("{what}: {reason}")]
    Tool {
        /// What was tried.
        what: String,
        /// Exit status and the last lines it printed.
        reason: String,
    },
    /// An X or Z reached a handshake or an output.
    #[error("engine icarus, {unit}: unknown value (X or Z) at port {port} in cycle {cycle}")]
    Unknown {
        /// Unit.
        unit: &'static str,
        /// Port.
        port: String,
        /// Cycle.
        cycle: String,
    },
    /// A whole machine hung.
    #[error("engine {engine}: {watchdog}")]
    ArrayWatchdog {
        /// Engine.
        engine: &'static str,
        /// What it got through.
        watchdog: bitmosaic_sim::run::ArrayWatchdog,
    },
    /// The memory port broke a rule of AXI4, by the checker in the testbench.
    #[error("the memory port breaks rule `{rule}` of AXI4 in cycle {cycle}")]
    Protocol {
        /// Name of the rule in the testbench.
        rule: String,
        /// Cycle.
        cycle: String,
    },
    /// A whole machine's outputs are not the host's.
    #[error("design `{design}`: {differing} outputs of its vectors differ from the host's, error code {error}")]
    Differs {
        /// Design.
        design: String,
        /// Outputs that differ.
        differing: usize,
        /// Why the program ended, 0 for a good end.
        error: u32,
    },
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Path.
        path: String,
        /// What the system or the parser said, and what would be right.
        reason: String,
    },
}
