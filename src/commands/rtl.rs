use std::path::PathBuf;

use bitmosaic_arch::{Machine, load};
use bitmosaic_reports::rtl_text;
use bitmosaic_results::{ModuleResources, RtlDocument, RtlResult, SCHEMA_VERSION};
use bitmosaic_rtl::cost::cost;
use bitmosaic_rtl::emit::{readme::readme, verilog_files};
use bitmosaic_rtl::hardware::{Units, build};

use crate::error::CliError;
use crate::{Outcome, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Design: a name of `bitmosaic list designs`, or a TOML file
    #[arg(long)]
    design: String,
    /// Folder for the files, made if it is not there
    #[arg(short, long)]
    output: PathBuf,
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let machine = load(&arguments.design)?;
    let document = export(&machine, arguments)?;
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&rtl_text(&document))?
    }
    Ok(Outcome::Done)
}

/// Writes `rtl/*.v`, `files.f`, `README.md` and `rust_hdl.rs`; both units share the folder, each has its own top module.
fn export(machine: &Machine, arguments: &Arguments) -> Result<RtlDocument, CliError> {
    let units = build(machine)?;
    let folder = &arguments.output;
    output::create_folder(&folder.join("rtl"))?;
    let mut result = RtlResult::default();
    for design in units.designs() {
        for (name, text) in verilog_files(design) {
            let name = format!("rtl/{name}");
            if !result.files.contains(&name) {
                output::write_file(&folder.join(&name), &text)?;
                result.files.push(name);
            }
        }
        result.modules.extend(cost(design).into_iter().map(|module| ModuleResources {
            name: module.module,
            instances: module.instances,
            cells: module.cells,
            flip_flops: module.flip_flops,
        }));
    }
    let list = result.files.iter().map(|f| format!("{f}\n")).collect::<String>();
    let others = [("files.f", list), ("README.md", readme(machine, &units)?)];
    for (name, text) in others.into_iter().chain(port_declarations(&units)) {
        output::write_file(&folder.join(name), &text)?;
        result.files.push(name.to_string());
    }
    let provenance = output::provenance(machine, String::new(), "", "rtl".to_string(), "", 0);
    Ok(RtlDocument { schema_version: SCHEMA_VERSION, provenance, result })
}

/// The file with the ports of every top module as rust-hdl blocks declare them.
#[cfg(feature = "rust-hdl")]
fn port_declarations(units: &Units) -> Option<(&'static str, String)> {
    let mut text =
        "//! Ports for `bitmosaic_rtl::rust_hdl::Generated`.\n\nuse rust_hdl_core::prelude::*;\n".to_string();
    for design in units.designs() {
        let mut name = design.top().name.clone();
        name[..1].make_ascii_uppercase();
        text += &format!("\n{}", bitmosaic_rtl::rust_hdl::declaration(design.top(), &format!("{name}Ports")));
    }
    Some(("rust_hdl.rs", text))
}

#[cfg(not(feature = "rust-hdl"))]
fn port_declarations(_units: &Units) -> Option<(&'static str, String)> {
    None
}
