//! The doors of this room: paths and lengths checked, reads bounded, foreign text made fit for a message.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::Finding;
use crate::{Fault, WorkloadsError};

/// Bytes of one read; a multiple of every element size.
pub(crate) const CHUNK_BYTES: usize = 1 << 17;
/// Characters of foreign text that a message shows.
const SHOWN_CHARACTERS: usize = 120;

pub(crate) fn io_error(file: &Path, action: &'static str, cause: io::Error) -> WorkloadsError {
    WorkloadsError::Io { file: file.to_path_buf(), action, cause }
}

pub(crate) fn malformed(
    file: &Path,
    fault: Fault,
    place: impl Into<String>,
    found: impl Into<String>,
    expected: impl Into<String>,
) -> WorkloadsError {
    let finding = Finding { place: place.into(), found: found.into(), expected: expected.into() };
    WorkloadsError::Malformed { file: file.to_path_buf(), fault, finding: Box::new(finding) }
}

/// Foreign text for a message: control characters escaped, long text cut.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Opens a regular file and tells its length. Looks before it opens: opening a pipe would wait for ever.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), WorkloadsError> {
    let metadata = fs::metadata(path).map_err(|e| io_error(path, "open the file", e))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a device or a pipe" };
        return Err(malformed(path, Fault::NotAFile, "the path", found, "a regular file"));
    }
    let file = File::open(path).map_err(|e| io_error(path, "open the file", e))?;
    Ok((file, metadata.len()))
}

/// The whole of a file that has at most `limit_bytes`.
pub(crate) fn read_small(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, WorkloadsError> {
    let (file, length) = open_regular(path)?;
    let mut bytes = Vec::new();
    if length <= limit_bytes {
        file.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(|e| io_error(path, "read the file", e))?;
    }
    if length > limit_bytes || bytes.len() as u64 > limit_bytes {
        let (found, expected) = (format!("{length} bytes"), format!("at most {limit_bytes} bytes"));
        return Err(malformed(path, Fault::TooLarge, "the file", found, expected));
    }
    Ok(bytes)
}

/// SHA-256 of a file in lower-case hexadecimal, read in chunks.
pub(crate) fn sha256_of_file(path: &Path) -> Result<String, WorkloadsError> {
    let (mut file, _) = open_regular(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hexadecimal(&hash.finalize())),
            Ok(n) => hash.update(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(io_error(path, "read the file", e)),
        }
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Checks that a name read from a file names a file in the same folder on every platform.
pub(crate) fn check_plain_name(index: &Path, place: &str, name: &str) -> Result<(), WorkloadsError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(plain) {
        return Ok(());
    }
    let expected = "a file name of letters, digits, `.`, `_` and `-` that does not start with `.`";
    Err(malformed(index, Fault::FileName, place, format!("`{}`", shown(name)), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "C:x", ".hidden", "a\0", "naïve", "a b"] {
            assert!(check_plain_name(Path::new("i"), "p", name).is_err(), "{name:?}");
        }
        for name in ["trace.safetensors", "model-00001-of-00002.safetensors", "a"] {
            assert!(check_plain_name(Path::new("i"), "p", name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn foreign_text_is_cut_and_escaped() {
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(shown(&"x".repeat(SHOWN_CHARACTERS)).len(), SHOWN_CHARACTERS);
        assert_eq!(shown(&"x".repeat(100_000)).len(), SHOWN_CHARACTERS + 3);
    }

    #[test]
    fn hash_is_the_standard_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of_file(&path).unwrap(), expected);
        assert!(matches!(read_small(&path, 2), Err(WorkloadsError::Malformed { fault: Fault::TooLarge, .. })));
        assert_eq!(read_small(&path, 3).unwrap(), b"abc");
        assert!(matches!(open_regular(folder.path()), Err(WorkloadsError::Malformed { fault: Fault::NotAFile, .. })));
    }
}
