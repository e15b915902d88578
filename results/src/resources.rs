use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AreaUm2;

/// Resources of a module of the exported Verilog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleResources {
    /// Module name.
    pub name: String,
    /// Instances in the whole design.
    pub instances: u64,
    /// Combinational gate equivalents of one instance, children excluded, as the netlist counts them (2-input gates).
    pub cells: u64,
    /// Flip-flops of one instance, children excluded.
    pub flip_flops: u64,
}

/// The exported files and their resources.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RtlResult {
    /// Names of the files, relative to the output folder.
    pub files: Vec<String>,
    /// Modules, leaves first.
    pub modules: Vec<ModuleResources>,
    /// Technology of the area.
    pub technology: String,
    /// Area by part.
    pub area_um2: AreaUm2,
}
