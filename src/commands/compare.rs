mod points;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bitmosaic_arch::{DesignSpec, Machine, load_spec};
use bitmosaic_numerics::{TermTable, WeightType, registry, weight_type};
use bitmosaic_reports::{RunDetails, compare_text, write_compare_csv, write_compare_page};
use bitmosaic_results::{CompareDocument, CompareResult, ComparedDesign, Provenance, SCHEMA_VERSION};
use bitmosaic_workloads::checkpoint::Checkpoint;
use bitmosaic_workloads::generate::{ActivationKind, LayerParameters, generate};

use self::points::{Source, Variant, area, group_refusal, mark_front, points};
use super::layers::{describe, read_matrix, real_activations, select_real, token_ids};
use super::quantize::file_name;
use super::simulate::{MAPPING, STREAMS, parse_shape};
use crate::error::CliError;
use crate::{Outcome, output};

/// Rows of DEVIATIONS.md that concern every comparison, and what its figures leave out.
const NOTES: [&str; 4] = [
    "D1: a tile has no memory; its operands come as streams that always offer. Cycles are those of the tile alone.",
    "D2: activations are aligned once, ahead of the tile; the aligner's cycles are not added, its area is.",
    "D3: no technology is attached to the designs, so there is no energy.",
    "D5: gates are counted in the netlist before any logic optimisation: compare designs, not gates. A flip-flop counts six; RAM is not in them.",
];
const NO_BIAS: &str =
    "D6: the bias of the layer is added neither by the machine nor in the reference; products alone are compared.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Checkpoint of a BERT-like encoder whose first query, key and value products are compared; a generated layer without it
    #[arg(requires = "token_ids", conflicts_with_all = ["matmul", "activations", "seed"])]
    checkpoint: Option<PathBuf>,
    /// Token ids whose normalised embeddings are the activations: numbers with commas between them, or a file of them
    #[arg(long, value_name = "IDS|FILE", requires = "checkpoint")]
    token_ids: Option<String>,
    /// Tensors of the checkpoint by name, with * and ?; query, key and value of the first layer without it
    #[arg(long, value_name = "GLOB", requires = "checkpoint")]
    tensor: Option<String>,
    /// Generated layer: tokens x input channels x output channels
    #[arg(long, value_name = "MxKxN", default_value = "16x1024x256")]
    matmul: String,
    /// Kind of generated activations, a name of `bitmosaic list activations`
    #[arg(long, default_value = "outliers")]
    activations: String,
    /// Seed of the generated layer
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Designs to compare, by name or TOML file, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "mosaic-tile,bitmod-tile")]
    designs: Vec<String>,
    /// Weight types, by name or codebook file, separated by commas; every executable one of `bitmosaic list types` without it
    #[arg(long, value_delimiter = ',')]
    types: Vec<String>,
    /// Input channels per group, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "16,32,64,128,256")]
    groups: Vec<usize>,
    /// Folder for the report, made if it is not there
    #[arg(short, long, default_value = "bitmosaic-compare")]
    output: PathBuf,
}

/// A design as it is described, its machine, and where it came from.
struct Design {
    spec: DesignSpec,
    machine: Machine,
    file: String,
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let designs = designs(&arguments.designs)?;
    let mut left_out = BTreeMap::new();
    let types = types(&arguments.types, &designs, &mut left_out)?;
    let (workload, sources) = sources(arguments)?;
    let mut result = CompareResult {
        designs: designs.iter().map(|d| compared_design(&d.machine)).collect::<Result<_, _>>()?,
        ..CompareResult::default()
    };
    let groups = groups(&arguments.groups, &designs, &mut left_out)?;
    for source in &sources {
        let first = result.points.len();
        for (type_name, executed) in &types {
            // A kind of machine may have no place for a type's zero points or scales.
            let variants = designs.iter().map(|d| Variant::new(&d.spec, &d.file, type_name, executed));
            let variants: Vec<Result<Variant, CliError>> = variants.collect();
            for (design, variant) in designs.iter().zip(&variants) {
                if let Err(reason) = variant {
                    left_out.insert(format!("{} {}", design.machine.name, executed.name), reason.to_string());
                }
            }
            for (group, takers) in &groups {
                output::progress(&format!("{}: {} g{group}", source.name, executed.name));
                let variants: Vec<&Variant> =
                    takers.iter().filter_map(|design| variants[*design].as_ref().ok()).collect();
                result.points.extend(points(source, executed, *group, &variants)?);
            }
        }
        mark_front(&mut result.points[first..]);
    }
    output::progress_done();
    result.left_out = left_out;
    let document = CompareDocument {
        schema_version: SCHEMA_VERSION,
        provenance: provenance(arguments, &result.designs, workload),
        result,
        report: "index.html".to_string(),
    };
    write(&document, arguments)?;
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&compare_text(&document, &arguments.output.join(&document.report)))?
    }
    Ok(Outcome::Done)
}

fn designs(names: &[String]) -> Result<Vec<Design>, CliError> {
    let mut designs: Vec<Design> = Vec::new();
    for file in names {
        let (spec, machine) = load_spec(file)?;
        if designs.iter().any(|d| d.machine.name == machine.name) {
            let found = format!("two designs have the name `{}`", machine.name);
            return Err(CliError::option("--designs", found, "name each design once, files by different `name`s"));
        }
        designs.push(Design { spec, machine, file: file.clone() });
    }
    Ok(designs)
}

fn compared_design(machine: &Machine) -> Result<ComparedDesign, CliError> {
    Ok(ComparedDesign {
        name: machine.name.clone(),
        design_sha256: machine.design_sha256.clone(),
        types: machine.types.iter().map(|t| t.weight_type.name.to_string()).collect(),
        max_group: machine.max_group.into(),
        terms_per_cycle: u64::from(machine.pes()) * u64::from(machine.pe.lanes),
        area: area(machine)?,
    })
}

/// What a design's list of types calls them, and the types; those that none of the designs can be built for are left out.
fn types(
    names: &[String],
    designs: &[Design],
    left_out: &mut BTreeMap<String, String>,
) -> Result<Vec<(String, WeightType)>, CliError> {
    let names = match names {
        [] => registry().iter().map(|t| t.name.to_string()).collect(),
        names => names.to_vec(),
    };
    let mut types: Vec<(String, WeightType)> = Vec::new();
    for name in names {
        let executed = weight_type(&name)?;
        if types.iter().any(|(_, t)| t.name == executed.name) {
            let found = format!("the type `{}` is named twice", executed.name);
            return Err(CliError::option("--types", found, "name each type once"));
        }
        let tables = designs.iter().map(|design| TermTable::new(&executed, design.machine.pe.digit_set));
        let refusals: Vec<_> = tables.map(|table| table.err()).collect();
        match refusals.iter().flatten().next() {
            Some(reason) if refusals.iter().all(Option::is_some) => {
                left_out.insert(executed.name.to_string(), format!("host only: {reason}"));
            }
            _ => types.push((name, executed)),
        }
    }
    if types.is_empty() {
        let found = left_out.iter().map(|(name, reason)| format!("{name}: {reason}")).collect::<Vec<_>>().join("; ");
        return Err(CliError::option("--types", found, "name at least one type that a machine executes"));
    }
    Ok(types)
}

/// Groups with the places of the designs that take them; the others are left out with their reason.
fn groups(
    wanted: &[usize],
    designs: &[Design],
    left_out: &mut BTreeMap<String, String>,
) -> Result<Vec<(usize, Vec<usize>)>, CliError> {
    let mut groups = Vec::new();
    for group in wanted.iter().copied().collect::<BTreeSet<_>>() {
        let mut takers = Vec::new();
        for (place, design) in designs.iter().enumerate() {
            match group_refusal(&design.machine, group) {
                None => takers.push(place),
                Some(reason) => drop(left_out.insert(format!("{} g{group}", design.machine.name), reason)),
            }
        }
        if !takers.is_empty() {
            groups.push((group, takers));
        }
    }
    if groups.is_empty() {
        let found = left_out.values().cloned().collect::<Vec<_>>().join("; ");
        return Err(CliError::option("--groups", found, "name at least one group that a design takes"));
    }
    Ok(groups)
}

/// How a result names the layers, and the layers.
fn sources(arguments: &Arguments) -> Result<(String, Vec<Source>), CliError> {
    let (Some(path), Some(ids)) = (&arguments.checkpoint, &arguments.token_ids) else {
        let [tokens, input_channels, output_channels] = parse_shape(&arguments.matmul)?;
        let activations = ActivationKind::from_name(&arguments.activations)?;
        let seed = arguments.seed;
        let layer = generate(&LayerParameters {
            tokens,
            input_channels,
            output_channels,
            seed,
            activations,
            ..LayerParameters::default()
        })?;
        let workload = format!("generated layer {}, activations {}", arguments.matmul, activations.name());
        let to_f32 = |values: &[bitmosaic_numerics::f16]| values.iter().map(|v| v.to_f32()).collect();
        let source = Source {
            name: "generated layer".to_string(),
            shape: [output_channels, input_channels],
            weights: to_f32(&layer.weights),
            fp32_activations: to_f32(&layer.activations.values),
            activations: layer.activations,
        };
        return Ok((workload, vec![source]));
    };
    let ids = token_ids(ids)?;
    let checkpoint = Checkpoint::open(path)?;
    let real = real_activations(&checkpoint, &ids)?;
    let mut sources = Vec::new();
    for name in select_real(&checkpoint, arguments.tensor.as_deref())? {
        let matrix = read_matrix(&checkpoint, &name, Some(&real.fp16))?;
        sources.push(Source {
            name,
            shape: [matrix.rows, matrix.columns],
            weights: matrix.data,
            fp32_activations: real.fp32.clone(),
            activations: real.fp16.clone(),
        });
    }
    Ok((format!("{}, {}", file_name(path), describe(&ids)), sources))
}

fn provenance(arguments: &Arguments, designs: &[ComparedDesign], workload: String) -> Provenance {
    let joined =
        |part: fn(&ComparedDesign) -> &String| designs.iter().map(|d| part(d).as_str()).collect::<Vec<_>>().join(",");
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_string(),
        design: joined(|d| &d.name),
        design_sha256: joined(|d| &d.design_sha256),
        workload,
        mapping: MAPPING.to_string(),
        engine: "event-driven simulator for cycles, host datapath for values".to_string(),
        memory: STREAMS.to_string(),
        seed: arguments.seed,
    }
}

/// Writes the page, the document and the points as CSV.
fn write(document: &CompareDocument, arguments: &Arguments) -> Result<(), CliError> {
    output::create_folder(&arguments.output)?;
    let mut notes = NOTES.map(String::from).to_vec();
    if arguments.checkpoint.is_some() {
        notes.push(NO_BIAS.to_string());
    }
    let details = RunDetails { command: command(arguments), notes };
    write_compare_page(&arguments.output.join(&document.report), document, &details)?;
    write_compare_csv(&arguments.output.join("compare.csv"), &document.result)?;
    let text = serde_json::to_string_pretty(document).map_err(|e| CliError::Internal(e.to_string()))?;
    output::write_file(&arguments.output.join("result.json"), &text)
}

/// The command line that makes the result again; paths without their folders, as everywhere in results.
fn command(arguments: &Arguments) -> String {
    let mut words = vec!["bitmosaic compare".to_string()];
    match (&arguments.checkpoint, &arguments.token_ids) {
        (Some(checkpoint), Some(ids)) => {
            words.push(format!("{} --token-ids {}", file_name(checkpoint), file_name(ids.as_ref())));
            words.extend(arguments.tensor.iter().map(|t| format!("--tensor '{t}'")));
        }
        _ => words.push(format!(
            "--matmul {} --activations {} --seed {}",
            arguments.matmul, arguments.activations, arguments.seed
        )),
    }
    let names = |names: &[String]| names.iter().map(|n| file_name(n.as_ref())).collect::<Vec<_>>().join(",");
    words.push(format!("--designs {}", names(&arguments.designs)));
    if !arguments.types.is_empty() {
        words.push(format!("--types {}", names(&arguments.types)));
    }
    let groups = arguments.groups.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    words.push(format!("--groups {groups}"));
    words.join(" ")
}
