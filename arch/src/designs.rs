//! Embedded designs. Adding one is a file in `arch/designs/` and a line here.

use std::path::Path;

use crate::{ArchError, DesignSpec, Machine, elaborate};

/// An embedded design.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name on the command line.
    pub name: &'static str,
    /// The TOML text.
    pub text: &'static str,
}

macro_rules! preset {
    ($name:literal) => {
        Preset { name: $name, text: include_str!(concat!("../designs/", $name, ".toml")) }
    };
}

/// Every embedded design, in the order listings show.
pub fn presets() -> &'static [Preset] {
    const PRESETS: &[Preset] = &[
        preset!("mosaic-tile"),
        preset!("mosaic-tiny"),
        preset!("mosaic-types"),
        preset!("bitmod-tile"),
        preset!("bitmod-tiny"),
        preset!("figna-int8-tile"),
        preset!("figna-mixed-tile"),
        preset!("fp16-tile"),
        preset!("ant-tile"),
        preset!("olive-tile"),
        preset!("mosaic-small"),
        preset!("bitmod-small"),
        preset!("figna-small"),
        preset!("fp16-small"),
        preset!("ant-small"),
        preset!("mosaic-ecp5"),
        preset!("mosaic"),
        preset!("bitmod"),
        preset!("figna-int8"),
        preset!("figna-mixed"),
        preset!("fp16"),
        preset!("ant"),
        preset!("olive"),
        preset!("bitmod-lossless"),
        preset!("bitmod-lossy"),
        preset!("mx"),
    ];
    PRESETS
}

/// Parses a design file; unknown keys are errors. `file` names the origin in errors.
///
/// # Errors
/// `Syntax` with line and column.
pub fn parse(text: &str, file: &str) -> Result<DesignSpec, ArchError> {
    toml::from_str(text)
        .map_err(|e| ArchError::Syntax { file: file.to_string(), message: e.to_string().trim_end().to_string() })
}

/// Elaborates a preset by name, or a design file by path (a path works wherever a name does).
///
/// # Errors
/// `NotFound`, `Syntax` or `Field`.
pub fn load(name_or_path: &str) -> Result<Machine, ArchError> {
    Ok(load_spec(name_or_path)?.1)
}

/// As [`load`], and gives the description too.
///
/// # Errors
/// `NotFound`, `Syntax` or `Field`.
pub fn load_spec(name_or_path: &str) -> Result<(DesignSpec, Machine), ArchError> {
    let text = match presets().iter().find(|p| p.name == name_or_path) {
        Some(preset) => preset.text.to_string(),
        None => read_file("design", name_or_path, &presets().iter().map(|p| p.name).collect::<Vec<_>>())?,
    };
    let spec = parse(&text, name_or_path)?;
    let machine = elaborate(&spec, name_or_path)?;
    Ok((spec, machine))
}

/// Text of a file of the user's; `kind` and the embedded `names` go into the error.
pub(crate) fn read_file(kind: &'static str, path: &str, names: &[&str]) -> Result<String, ArchError> {
    let not_found =
        |reason: String| ArchError::NotFound { kind, name: path.to_string(), reason, presets: names.join(", ") };
    let size = std::fs::metadata(Path::new(path)).map_err(|e| not_found(e.to_string()))?.len();
    if size > 1 << 20 {
        return Err(not_found(format!("the file has {size} bytes, a {kind} has at most 1 MiB")));
    }
    std::fs::read_to_string(path).map_err(|e| not_found(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_elaborate_under_their_own_name() {
        for preset in presets() {
            assert_eq!(load(preset.name).unwrap().name, preset.name);
        }
    }

    #[test]
    fn unknown_keys_name_line_and_key() {
        let text = presets()[0].text.replace("[tile]", "[tile]\ndepth = 3");
        let error = parse(&text, "my.toml").unwrap_err().to_string();
        assert!(error.contains("my.toml") && error.contains("line") && error.contains("depth"), "{error}");
        assert!(load("no-such-design").unwrap_err().to_string().contains("mosaic-tile"));
    }

    #[test]
    fn digest_ignores_layout() {
        let spec = parse(presets()[0].text, "a").unwrap();
        let machine = elaborate(&spec, "a").unwrap();
        let commented = parse(&format!("# note\n{}", presets()[0].text), "a").unwrap();
        assert_eq!(machine.design_sha256, crate::digest(&commented));
    }
}
