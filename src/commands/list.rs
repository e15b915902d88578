use bitmosaic_arch::{Machine, TECHNOLOGIES, Technology, load, presets};
use bitmosaic_cosim::Engine;
use bitmosaic_explore::SPECS;
use bitmosaic_mappings::{MAPPINGS, Mapping};
use bitmosaic_numerics::{DigitSet, TermTable, registry};
use bitmosaic_reports::list_text;
use bitmosaic_results::{ListDocument, ListEntry};
use bitmosaic_sim::device::{DEVICES, Device};
use bitmosaic_workloads::generate::ActivationKind;
use bitmosaic_workloads::model::{self as models, Model};
use bitmosaic_workloads::operation::{cache_elements, parameters};

use crate::error::CliError;
use crate::{Outcome, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to list
    what: What,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// Embedded designs
    Designs,
    /// Embedded models
    Models,
    /// Memory devices
    Devices,
    /// Sweeps
    Sweeps,
    /// Technologies of energy and area
    Technologies,
    /// Mappings of whole machines
    Mappings,
    /// Weight types
    Types,
    /// Kinds of processing element
    Pe,
    /// What executes programs
    Engines,
    /// Kinds of generated activations
    Activations,
}

pub(crate) fn execute(arguments: &Arguments, json: bool) -> Result<Outcome, CliError> {
    let entry = |name: &str, summary: String| ListEntry { name: name.to_string(), summary };
    let entries = match arguments.what {
        What::Designs => {
            let machines: Vec<Machine> = presets().iter().map(|p| load(p.name)).collect::<Result<_, _>>()?;
            machines.iter().map(|m| entry(&m.name, m.summary.clone())).collect()
        }
        What::Models => {
            let models = models::presets().iter().map(|preset| models::load(preset.name));
            let models: Vec<Model> = models.collect::<Result<_, _>>()?;
            models.iter().map(|m| entry(&m.name, model_summary(m))).collect()
        }
        What::Devices => {
            let devices = DEVICES.iter().map(|(name, _)| Device::named(name)).collect::<Result<Vec<_>, _>>();
            let devices = devices.map_err(CliError::Internal)?;
            devices.iter().map(|d| entry(&d.name, format!("{}; {} pJ a bit", d.summary, d.pj_per_bit))).collect()
        }
        What::Technologies => {
            let technologies = TECHNOLOGIES.iter().map(|(name, _)| Technology::load(name));
            let technologies: Vec<Technology> = technologies.collect::<Result<_, _>>()?;
            technologies.iter().map(|t| entry(&t.name, t.summary.clone())).collect()
        }
        What::Sweeps => {
            let specs = SPECS.iter().map(|(name, _)| Ok((*name, bitmosaic_explore::load(name)?)));
            let specs: Vec<_> = specs.collect::<Result<_, CliError>>()?;
            specs
                .iter()
                .map(|(name, spec)| entry(name, format!("{}; {} points", spec.summary, spec.space.points())))
                .collect()
        }
        What::Mappings => {
            let mappings = MAPPINGS.iter().map(|(name, _)| Mapping::load(name)).collect::<Result<Vec<_>, _>>()?;
            mappings.iter().map(|m| entry(&m.name, m.summary.clone())).collect()
        }
        What::Types => registry()
            .iter()
            .map(|t| {
                let digit_set = if t.is_fp16() { DigitSet::Fp16 } else { DigitSet::Radix4 };
                let terms = match TermTable::new(t, digit_set) {
                    Ok(table) if table.terms == 1 => "1 term".to_string(),
                    Ok(table) => format!("{} terms", table.terms),
                    Err(reason) => format!("host only: {reason}"),
                };
                entry(t.name, format!("{}; {terms}", t.summary))
            })
            .collect(),
        What::Pe => vec![
            entry(
                "bit-serial-block",
                "activations of a group share an exponent; digits times integers, shared scale units".into(),
            ),
            entry(
                "bit-serial-float",
                "the BitMoD paper's, made correct: digits times FP16 aligned every cycle, a dequantizer in each".into(),
            ),
            entry(
                "fp16-int",
                "like FIGNA's, ANT's, OliVe's: activations as in bit-serial-block, times whole weights, halves or small significands".into(),
            ),
            entry("fp16-mac", "conventional: FP16 weights times FP16 activations, aligned every cycle".into()),
        ],
        What::Engines => Engine::ALL.iter().map(|e| entry(e.name(), e.summary().into())).collect(),
        What::Activations => ActivationKind::ALL.iter().map(|k| entry(k.name(), k.summary().into())).collect(),
    };
    let document = ListDocument(entries);
    if json {
        output::print_json(&document)?
    } else {
        output::print_text(&list_text(&document))?
    }
    Ok(Outcome::Done)
}

fn model_summary(model: &Model) -> String {
    format!(
        "{:.2} billion parameters, {} layers of {} channels, {} cache elements a token",
        parameters(model) as f64 / 1e9,
        model.layer_count(),
        model.hidden,
        cache_elements(model, 1)
    )
}
