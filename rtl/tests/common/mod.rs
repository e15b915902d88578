//! Shared by the tests that run external tools.

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
        let output = Command::new(program).args(arguments).current_dir(&self.0).output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e} (Debian package `{program}`)"));
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        assert!(output.status.success(), "{program} in {}: {}", self.0.display(), text.concat());
        text.concat()
    }
}
