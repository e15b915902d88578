//! Shared by the tests that run external tools.

#![allow(dead_code)] // every test uses its part

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder below the target directory, emptied first and kept for a look after a failure.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder.
    pub fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs a command in the folder; its standard output and error, joined.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        self.try_run(program, arguments).unwrap_or_else(|text| panic!("{program} in {}: {text}", self.0.display()))
    }

    /// As `run`; what a failing command said is the error.
    pub fn try_run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(program).args(arguments).current_dir(&self.0).output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e} (Debian package `{program}`)"));
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
        if output.status.success() { Ok(text) } else { Err(text) }
    }

    /// The trace that a testbench left.
    pub fn trace(&self) -> Vec<String> {
        let path = self.0.join("trace.txt");
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(path).unwrap();
        text.lines().map(str::to_string).collect()
    }
}
