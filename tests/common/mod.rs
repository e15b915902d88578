//! The command line from outside.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

pub fn bitmosaic(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bitmosaic")).args(arguments).current_dir(folder).output().unwrap()
}

pub fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = bitmosaic(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a command that must fail with this code, names all of `words` on standard error and print nothing else.
#[track_caller]
pub fn refused(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = bitmosaic(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(!error.contains("panicked"), "{error}");
    for word in words {
        assert!(error.contains(word), "{arguments:?} should name `{word}`:\n{error}");
    }
}
