use std::path::PathBuf;

use bitmosaic_arch::{Machine, Technology, load};
use bitmosaic_cosim::vectors::vectors;
use bitmosaic_reports::rtl_text;
use bitmosaic_results::{ModuleResources, RtlDocument, RtlResult, SCHEMA_VERSION};
use bitmosaic_rtl::area::area;
use bitmosaic_rtl::cost::cost;
use bitmosaic_rtl::emit::{bundle::array_bundle, readme::readme, verilog_files};
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
    /// Technology that the area is estimated in: a name of `bitmosaic list technologies`, or a file
    #[arg(long, value_name = "TECHNOLOGY", default_value = "hpca25-28nm")]
    technology: String,
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

/// Writes the Verilog and what goes with it.
fn export(machine: &Machine, arguments: &Arguments) -> Result<RtlDocument, CliError> {
    let units = build(machine)?;
    let technology = Technology::load(&arguments.technology)?;
    let area_um2 = area(machine, &units, &technology)?;
    let (files, designs) = match &units.array {
        Some(design) => {
            let mut files = array_bundle(machine, &units, &vectors(machine)?);
            files.push(("tile.md".to_string(), readme(machine, &units)?));
            (files, vec![design])
        }
        None => (tile_bundle(machine, &units)?, units.designs().collect()),
    };
    let mut result = RtlResult { technology: technology.name, area_um2, ..RtlResult::default() };
    for (name, text) in files.into_iter().chain(port_declarations(&units)) {
        let path = arguments.output.join(&name);
        output::create_folder(path.parent().unwrap_or(&arguments.output))?;
        output::write_file(&path, &text)?;
        result.files.push(name);
    }
    let modules = designs.into_iter().flat_map(cost).map(|module| ModuleResources {
        name: module.module,
        instances: module.instances,
        cells: module.cells,
        flip_flops: module.flip_flops,
    });
    result.modules = modules.collect();
    let provenance = output::provenance(machine, String::new(), "", "rtl".to_string(), "", 0);
    Ok(RtlDocument { schema_version: SCHEMA_VERSION, provenance, result })
}

/// Files of a design that is a tile alone: the units share the folder, each has its own top module.
fn tile_bundle(machine: &Machine, units: &Units) -> Result<Vec<(String, String)>, CliError> {
    let mut files: Vec<(String, String)> = Vec::new();
    for (name, text) in units.designs().flat_map(verilog_files) {
        let name = format!("rtl/{name}");
        if files.iter().all(|(other, _)| *other != name) {
            files.push((name, text));
        }
    }
    let list = files.iter().map(|(name, _)| format!("{name}\n")).collect::<String>();
    files.push(("files.f".to_string(), list));
    files.push(("README.md".to_string(), readme(machine, units)?));
    Ok(files)
}

/// The file with the ports of every top module as rust-hdl blocks declare them.
#[cfg(feature = "rust-hdl")]
fn port_declarations(units: &Units) -> Option<(String, String)> {
    let mut text =
        "//! Ports for `bitmosaic_rtl::rust_hdl::Generated`.\n\nuse rust_hdl_core::prelude::*;\n".to_string();
    for design in units.designs() {
        let mut name = design.top().name.clone();
        name[..1].make_ascii_uppercase();
        text += &format!("\n{}", bitmosaic_rtl::rust_hdl::declaration(design.top(), &format!("{name}Ports")));
    }
    Some(("rust_hdl.rs".to_string(), text))
}

#[cfg(not(feature = "rust-hdl"))]
fn port_declarations(_units: &Units) -> Option<(String, String)> {
    None
}
