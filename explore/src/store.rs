//! The results file of a sweep: rows appended in order, so that a run which is killed goes on where it was.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ExploreError;

/// What a results file belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Version of the tool.
    pub(crate) version: String,
    /// SHA-256 of the spec and what it names.
    pub(crate) spec_sha256: String,
    /// Points and references.
    pub(crate) rows: usize,
    /// Columns in order.
    pub(crate) columns: Vec<String>,
}

/// An open results file; locked against a second run.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    file: File,
    /// Rows that are there.
    pub(crate) rows: usize,
}

/// What a run does about results of other contents.
const REMEDY: &str = "name another folder with --output, or remove this one";

impl Store {
    /// Opens the results at `path` and drops what comes after the last whole row; makes them where there are none.
    ///
    /// # Errors
    /// `Results` for those of another sweep, or that another run works on; `File`.
    pub(crate) fn open(path: &Path, manifest_path: &Path, manifest: &Manifest) -> Result<Store, ExploreError> {
        let failed = |e| ExploreError::file(path, e);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ExploreError::results(
                    path,
                    "another run works on it",
                    "wait for it, or name another folder",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        check_manifest(manifest_path, manifest, bytes.is_empty())?;
        let header = record(&manifest.columns);
        let rows = if bytes.len() < header.len() {
            let ours = header.as_bytes().starts_with(&bytes);
            if !ours {
                return Err(ExploreError::results(path, "columns of another sweep", REMEDY));
            }
            file.set_len(0).map_err(failed)?;
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            file.write_all(header.as_bytes()).map_err(failed)?;
            0
        } else {
            let body = bytes.strip_prefix(header.as_bytes());
            let body = body.ok_or_else(|| ExploreError::results(path, "columns of another sweep", REMEDY))?;
            let whole = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            let rows = count_rows(path, &body[..whole], manifest)?;
            let end = (header.len() + whole) as u64;
            file.set_len(end).map_err(failed)?;
            file.seek(SeekFrom::Start(end)).map_err(failed)?;
            rows
        };
        Ok(Store { path: path.to_path_buf(), file, rows })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// `File`.
    pub(crate) fn append(&mut self, rows: &[Vec<String>]) -> Result<(), ExploreError> {
        let text: String = rows.iter().map(|row| record(row)).collect();
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|e| ExploreError::file(&self.path, e))?;
        self.rows += rows.len();
        Ok(())
    }
}

fn check_manifest(path: &Path, manifest: &Manifest, empty: bool) -> Result<(), ExploreError> {
    let failed = |e| ExploreError::file(path, e);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && empty => {
            // Whole or not at all: a kill leaves no half of it under its name.
            let new = path.with_extension("new");
            let text = serde_json::to_string_pretty(manifest).map_err(|e| ExploreError::Internal(e.to_string()))?;
            std::fs::write(&new, text + "\n").and_then(|()| std::fs::rename(&new, path)).map_err(failed)?;
            return Ok(());
        }
        Err(error) => return Err(failed(error)),
    };
    let found: Manifest = serde_json::from_str(&text)
        .map_err(|e| ExploreError::results(path, format!("no manifest of a sweep: {e}"), REMEDY))?;
    let differs = |what: &str, found: &dyn ToString, own: &dyn ToString| {
        let found = format!("results of {what} {}, this sweep has {}", found.to_string(), own.to_string());
        Err(ExploreError::results(path, found, REMEDY))
    };
    if found.version != manifest.version {
        return differs("version", &found.version, &manifest.version);
    }
    if found.spec_sha256 != manifest.spec_sha256 {
        return differs("a spec with SHA-256", &found.spec_sha256, &manifest.spec_sha256);
    }
    if found != *manifest {
        return differs("other columns or rows:", &found.rows, &manifest.rows);
    }
    Ok(())
}

/// Rows of a body of whole lines; all of them in order.
fn count_rows(path: &Path, body: &[u8], manifest: &Manifest) -> Result<usize, ExploreError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body);
    let mut rows = 0;
    for row in reader.records() {
        let row = row.map_err(|e| ExploreError::results(path, e, REMEDY))?;
        let ok = row.len() == manifest.columns.len() && row.get(0) == Some(&rows.to_string());
        if !ok || rows == manifest.rows {
            let found = format!("row {rows} is not the one of point {rows}");
            return Err(ExploreError::results(path, found, REMEDY));
        }
        rows += 1;
    }
    Ok(rows)
}

/// A line of the file; cells have no line breaks.
fn record(cells: &[String]) -> String {
    let quoted = |cell: &String| match cell.contains([',', '"']) || cell.starts_with(char::is_whitespace) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let columns = ["point", "reason"].map(String::from).to_vec();
        Manifest { version: "1".into(), spec_sha256: "ab".into(), rows: 3, columns }
    }

    fn rows(from: usize) -> Vec<Vec<String>> {
        (from..3).map(|i| vec![i.to_string(), format!("a \"reason\", {i}")]).collect()
    }

    #[test]
    fn a_file_cut_at_any_byte_is_completed_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, manifest_path) = (folder.path().join("r.csv"), folder.path().join("m.json"));
        let mut store = Store::open(&path, &manifest_path, &manifest()).unwrap();
        store.append(&rows(0)).unwrap();
        drop(store);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut store = Store::open(&path, &manifest_path, &manifest()).unwrap();
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(store.rows, lines.saturating_sub(1));
            let missing = rows(store.rows);
            store.append(&missing).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn other_results_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, manifest_path) = (folder.path().join("r.csv"), folder.path().join("m.json"));
        Store::open(&path, &manifest_path, &manifest()).unwrap().append(&rows(0)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let refuse = |change: fn(&mut Manifest), word: &str| {
            let mut other = manifest();
            change(&mut other);
            let error = Store::open(&path, &manifest_path, &other).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("--output"), "{error}");
        };
        refuse(|m| m.spec_sha256 = "cd".into(), "cd");
        refuse(|m| m.version = "2".into(), "version 1");
        refuse(|m| m.rows = 4, "rows");
        refuse(|m| m.columns.push("x".into()), "columns");
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        // Rows out of order, a row of other length, a row too many.
        for body in ["1,x\n", "0,x\n0,x\n", "0,x,y\n", "0,x\n1,x\n2,x\n3,x\n"] {
            std::fs::write(&path, format!("point,reason\n{body}")).unwrap();
            assert!(Store::open(&path, &manifest_path, &manifest()).is_err(), "{body}");
        }
        std::fs::remove_file(&manifest_path).unwrap();
        assert!(Store::open(&path, &manifest_path, &manifest()).is_err(), "rows without a manifest");
        let store = Store::open(&folder.path().join("a"), &folder.path().join("b"), &manifest()).unwrap();
        let second = Store::open(&folder.path().join("a"), &folder.path().join("b"), &manifest()).unwrap_err();
        assert!(second.to_string().contains("another run"), "{second}");
        drop(store);
    }
}
