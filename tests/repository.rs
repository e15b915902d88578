//! What the documents say about the tree is true: paths exist, rooms keep to their layers, files stay readable.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOMS: [&str; 11] =
    ["numerics", "results", "arch", "workloads", "mappings", "kernels", "sim", "rtl", "cosim", "explore", "reports"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut missing = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "DEVIATIONS.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let outside_fences = text.split("```").step_by(2).collect::<String>();
        for word in outside_fences.split('`').skip(1).step_by(2) {
            let is_path = word.contains('/')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
                && !word.starts_with('/')
                && !word.contains("/x.");
            if is_path && !root().join(word).exists() {
                missing.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn rooms_use_only_what_stands_below_them() {
    // The table of ARCHITECTURE.md; `kernels` and `reports` stand beside the machine rooms.
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("numerics", &[][..]),
        ("results", &[]),
        ("arch", &["numerics"]),
        ("workloads", &["numerics"]),
        ("mappings", &["arch", "workloads", "numerics"]),
        ("kernels", &["numerics", "results"]),
        ("sim", &["arch", "mappings", "workloads", "numerics", "results"]),
        ("rtl", &["arch", "mappings", "numerics", "results"]),
        ("cosim", &["sim", "rtl", "mappings", "workloads", "kernels", "arch", "numerics", "results"]),
        ("explore", &["arch", "mappings", "sim", "rtl", "workloads", "numerics", "results"]),
        ("reports", &["results"]),
    ]);
    for room in ROOMS {
        let manifest = fs::read_to_string(root().join(room).join("Cargo.toml")).unwrap();
        for used in ROOMS {
            let uses = manifest.contains(&format!("bitmosaic-{used}.workspace"));
            assert!(!uses || allowed[room].contains(&used), "{room} uses {used}");
        }
    }
}

#[test]
fn files_stay_readable() {
    let mut files = Vec::new();
    for room in ROOMS {
        rust_files(&root().join(room).join("src"), &mut files);
    }
    rust_files(&root().join("src"), &mut files);
    assert!(files.len() > 60);
    let long: Vec<String> = files
        .iter()
        .filter(|file| !file.ends_with("tests.rs"))
        .filter_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
            (code > 400).then(|| format!("{}: {code} lines", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "over 400 lines without tests: {long:#?}");
}

#[test]
fn no_file_names_a_machine() {
    let mut files = Vec::new();
    rust_files(root(), &mut files);
    for name in ["README.md", "ARCHITECTURE.md", "scripts/test", "scripts/fetch-minilm", "Cargo.toml", "deny.toml"] {
        files.push(root().join(name));
    }
    let home = std::env::var("HOME").unwrap_or_default();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(home.len() < 2 || !text.contains(&format!("{home}/")), "{}", file.display());
    }
}
