//! The safetensors reader: exact values, and every kind of broken file refused with its own fault.

use std::fs;
use std::path::{Path, PathBuf};

use bitmosaic_workloads::checkpoint::{Checkpoint, ValueCheck};
use bitmosaic_workloads::{Fault, WorkloadsError};

/// A file with this header and this many bytes of data.
fn file(folder: &Path, header: &str, data: &[u8]) -> PathBuf {
    let path = folder.join("model.safetensors");
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    fs::write(&path, bytes).unwrap();
    path
}

fn fault(result: Result<Checkpoint, WorkloadsError>) -> (Fault, String) {
    match result {
        Err(error @ WorkloadsError::Malformed { fault, .. }) => (fault, error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_of_the_three_element_types_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"__metadata__":{"format":"pt"},
        "a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},
        "b":{"dtype":"F16","shape":[1,3],"data_offsets":[16,22]},
        "c":{"dtype":"BF16","shape":[3,1],"data_offsets":[22,28]},
        "d":{"dtype":"F32","shape":[1],"data_offsets":[28,32]},
        "e":{"dtype":"F32","shape":[0,7],"data_offsets":[28,28]},
        "f":{"dtype":"I8","shape":[1,1],"data_offsets":[32,33]}}"#;
    let mut data = Vec::new();
    data.extend([1.5f32, -0.0, f32::MIN_POSITIVE, 1e30].iter().flat_map(|v| v.to_le_bytes()));
    data.extend([0x3C00u16, 0x0001, 0xFBFF].iter().flat_map(|v| v.to_le_bytes()));
    data.extend([0x3F80u16, 0x0001, 0xFF7F].iter().flat_map(|v| v.to_le_bytes()));
    data.extend([0; 5]);
    let checkpoint = Checkpoint::open(&file(folder.path(), header, &data)).unwrap();
    let names: Vec<&str> = checkpoint.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!((checkpoint.tensors()[2].dtype.as_str(), &checkpoint.tensors()[2].shape[..]), ("BF16", &[3, 1][..]));
    let bits = |name| {
        let matrix = checkpoint.read_matrix(name, ValueCheck::Finite).unwrap();
        (matrix.rows, matrix.columns, matrix.data.iter().map(|v| v.to_bits()).collect::<Vec<u32>>())
    };
    assert_eq!(bits("a"), (2, 2, vec![0x3FC0_0000, 0x8000_0000, 0x0080_0000, 1e30f32.to_bits()]));
    assert_eq!(bits("b"), (1, 3, vec![1f32.to_bits(), (2f32 / 33_554_432.0).to_bits(), (-65504f32).to_bits()]));
    assert_eq!(bits("c"), (3, 1, vec![0x3F80_0000, 0x0001_0000, 0xFF7F_0000]));
    for (name, kind) in [("d", "two dimensions"), ("e", "empty"), ("f", "F32, F16, BF16"), ("g", "`a`, `b`")] {
        let message = checkpoint.read_matrix(name, ValueCheck::Any).unwrap_err().to_string();
        assert!(message.contains(kind) && message.contains("model.safetensors"), "{message}");
    }
    // Values that FP16 cannot hold are told from values that are not finite.
    let error = checkpoint.read_matrix("a", ValueCheck::FiniteAsF16).unwrap_err();
    assert!(matches!(error, WorkloadsError::NotFinite { row: 1, column: 1, .. }), "{error}");
    assert!(checkpoint.read_matrix("a", ValueCheck::Any).unwrap().to_f16()[3].is_infinite());
}

#[test]
fn not_a_number_is_reported_with_tensor_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    // Larger than a chunk, so that the place is counted across chunks.
    let (rows, columns) = (3, 400_000);
    let mut values = vec![0f32; rows * columns];
    values[2 * columns + 123_456] = f32::NAN;
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let header = r#"{"layer.w":{"dtype":"F32","shape":[3,400000],"data_offsets":[0,4800000]}}"#;
    let checkpoint = Checkpoint::open(&file(folder.path(), header, &data)).unwrap();
    let error = checkpoint.read_matrix("layer.w", ValueCheck::Finite).unwrap_err();
    assert!(matches!(error, WorkloadsError::NotFinite { row: 2, column: 123_456, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("`layer.w`, row 2, column 123456: found NaN, expected a finite value"), "{message}");
    assert!(checkpoint.read_matrix("layer.w", ValueCheck::Any).unwrap().data[923_456].is_nan());
}

#[test]
fn every_broken_header_has_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let one =
        |shape: &str, offsets: &str| format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#);
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":{first}}},
            "b":{{"dtype":"U8","shape":[4],"data_offsets":{second}}}}}"#
        )
    };
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let deep_metadata = format!(r#"{{"__metadata__":{}{}}}"#, "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let deep_unknown = format!(
        r#"{{"x":{{"dtype":"U8","shape":[8],"data_offsets":[0,8],"y":{}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let entry = r#"{"dtype":"U8","shape":[8],"data_offsets":[0,8]}"#;
    // (header, fault, what the message has to name); the data are 8 bytes.
    let cases: Vec<(String, Fault, &str)> = vec![
        (one("[2]", "[0,9]"), Fault::ByteCount, "`x`: found 9 bytes, expected 8 bytes"),
        (one("[3]", "[0,8]"), Fault::ByteCount, "expected 12 bytes"),
        (one("[9223372036854775807,9223372036854775807]", "[0,8]"), Fault::ByteCount, "below 2^61"),
        (one("[18446744073709551615]", "[0,8]"), Fault::ByteCount, "below 2^61"),
        (one("[0,9223372036854775807,4]", "[0,8]"), Fault::ByteCount, "expected 0 bytes"),
        (one("[2]", "[8,0]"), Fault::Offsets, "bytes 8 to 0"),
        (one("[2]", "[4,12]"), Fault::Offsets, "bytes from 0 on"),
        (one("[3]", "[0,12]"), Fault::Truncated, "found"),
        (one("[1]", "[0,4]"), Fault::TrailingBytes, "where the last tensor ends"),
        (one("[-1]", "[0,8]"), Fault::Syntax, "line 1, column"),
        (one("[2.0]", "[0,8]"), Fault::Syntax, "line 1, column"),
        (one(&format!("[{}1]", "1,".repeat(40)), "[0,4]"), Fault::Syntax, "at most 32 dimensions"),
        (one("[2]", "[0,8,16]"), Fault::Syntax, "line 1, column"),
        (one("[2]", "[0,36893488147419103232]"), Fault::Syntax, "line 1, column"),
        (two("[0,4]", "[0,4]"), Fault::Offsets, "where tensor `a` ends"),
        (two("[0,4]", "[2,6]"), Fault::Offsets, "`b`"),
        (two("[4,8]", "[5,9]"), Fault::Offsets, "`a`"),
        (two("[0,4]", "[1000000,1000004]"), Fault::Offsets, "`b`"),
        (two("[0,4]", "[4,18446744073709551615]"), Fault::ByteCount, "`b`"),
        (format!(r#"{{"x":{entry},"x":{entry}}}"#), Fault::Duplicate, "a second entry named `x`"),
        (r#"{"__metadata__":{},"__metadata__":{}}"#.into(), Fault::Duplicate, "`__metadata__`"),
        (r#"{"x":{"dtype":"Q4_K","shape":[8],"data_offsets":[0,8]}}"#.into(), Fault::Syntax, "Q4_K"),
        (r#"{"x":{"dtype":"U8","shape":[8]}}"#.into(), Fault::Syntax, "data_offsets"),
        (r#"{"x":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#.into(), Fault::Syntax, "duplicate"),
        (r#"{"x":{"dtype":"F4","shape":[15],"data_offsets":[0,8]}}"#.into(), Fault::ByteCount, "whole number of bytes"),
        (r#"{"x":7}"#.into(), Fault::Syntax, "header, line 1"),
        (String::new(), Fault::Syntax, "header"),
        ("[]".into(), Fault::Syntax, "header"),
        ("{".into(), Fault::Syntax, "header"),
        (format!(r#"{{"x":{entry}}} x"#), Fault::Syntax, "header"),
        (deep, Fault::Syntax, "header"),
        (deep_metadata, Fault::Syntax, "header"),
        (format!(r#"{{"x":{{"dtype":"{}"}}}}"#, "Z".repeat(1_000_000)), Fault::Syntax, "ZZZ..."),
        (
            format!(r#"{{"{}":{{"dtype":"U8","shape":[9],"data_offsets":[0,8]}}}}"#, "\\u001b".repeat(9999)),
            Fault::ByteCount,
            "\\u{1b}",
        ),
    ];
    for (header, expected, named) in cases {
        let (found, message) = fault(Checkpoint::open(&file(folder.path(), &header, &[0; 8])));
        let header: String = header.chars().take(150).collect();
        assert_eq!(found, expected, "{header}: {message}");
        assert!(message.contains(named) && message.contains("model.safetensors: "), "{header}: {message}");
        assert!(message.contains(found.remedy()) && message.len() < 2000, "{header}: {message}");
        assert!(!message.contains('\u{1b}'), "{header}");
    }
    // Eight tensors whose ends add up to 2^64 - 8: each is possible, their file is not.
    let huge = (1u64 << 61) - 1;
    let entries: Vec<String> = (0..8)
        .map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[{huge}],"data_offsets":[{},{}]}}"#, i * huge, (i + 1) * huge))
        .collect();
    let (found, message) =
        fault(Checkpoint::open(&file(folder.path(), &format!("{{{}}}", entries.join(",")), &[0; 8])));
    assert_eq!(found, Fault::Truncated, "{message}");
    assert!(message.contains("tensors that end below 2^64"), "{message}");
    // Keys that the format does not know are passed over, however deep.
    Checkpoint::open(&file(folder.path(), &deep_unknown, &[0; 8])).unwrap();
    let (found, message) = fault(Checkpoint::open(&file(folder.path(), "{\"\u{0}", &[])));
    assert_eq!(found, Fault::Syntax, "{message}");
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (bytes, expected) in [
        (vec![], Fault::Truncated),
        (vec![0; 7], Fault::Truncated),
        (vec![0; 8], Fault::Syntax),
        ((1u64 << 60).to_le_bytes().to_vec(), Fault::TooLarge),
        (u64::MAX.to_le_bytes().to_vec(), Fault::TooLarge),
        (100_000_001u64.to_le_bytes().to_vec(), Fault::TooLarge),
        (100_000_000u64.to_le_bytes().to_vec(), Fault::Truncated),
        (b"\x02\0\0\0\0\0\0\0\xff\xfe".to_vec(), Fault::Syntax),
    ] {
        fs::write(&path, &bytes).unwrap();
        let (found, message) = fault(Checkpoint::open(&path));
        assert_eq!(found, expected, "{bytes:?}: {message}");
    }
    // A sparse file of 2^50 bytes costs nothing to make; its header is read, its tensor is not.
    let sparse = fs::File::create(&path).unwrap();
    if sparse.set_len(1 << 50).is_ok() {
        let (found, _) = fault(Checkpoint::open(&path));
        assert_eq!(found, Fault::Syntax);
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(fault(Checkpoint::open(folder.path())).0, Fault::NotAFile);
    let missing = Checkpoint::open(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, WorkloadsError::Io { .. }) && missing.to_string().contains("none: cannot open"));
    if cfg!(unix) {
        assert_eq!(fault(Checkpoint::open(Path::new("/dev/zero"))).0, Fault::NotAFile);
    }
}

#[test]
fn a_file_that_changes_after_opening_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"x":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
    let path = file(folder.path(), header, &[0; 8]);
    let checkpoint = Checkpoint::open(&path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(40).unwrap();
    let message = checkpoint.read_matrix("x", ValueCheck::Any).unwrap_err().to_string();
    assert!(message.contains("as on opening"), "{message}");
}

#[test]
fn shards_are_read_through_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let shard = |name: &str, tensor: &str, value: f32| {
        let header = format!(r#"{{"{tensor}":{{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}}}"#);
        fs::rename(file(folder.path(), &header, &value.to_le_bytes()), folder.path().join(name)).unwrap();
    };
    shard("model-1.safetensors", "a", 1.0);
    shard("model-2.safetensors", "b", 2.0);
    let index = folder.path().join("model.safetensors.index.json");
    let map =
        |map: &str| fs::write(&index, format!(r#"{{"metadata":{{"total_size":8}},"weight_map":{map}}}"#)).unwrap();
    map(r#"{"b":"model-2.safetensors","a":"model-1.safetensors"}"#);
    for path in [folder.path(), &index] {
        let checkpoint = Checkpoint::open(path).unwrap();
        assert_eq!(checkpoint.path(), index);
        assert_eq!(checkpoint.tensors().len(), 2);
        for (name, value) in [("a", 1.0), ("b", 2.0)] {
            assert_eq!(checkpoint.read_matrix(name, ValueCheck::Finite).unwrap().data, [value]);
        }
        let unknown = checkpoint.read_matrix("c", ValueCheck::Finite).unwrap_err().to_string();
        assert!(unknown.contains("index.json: there is no tensor `c`; the file has `a`, `b`"), "{unknown}");
    }
    map(r#"{"a":"model-2.safetensors"}"#);
    assert!(matches!(Checkpoint::open(&index), Err(WorkloadsError::UnknownTensor { .. })));
    map(r#"{"a":"model-3.safetensors"}"#);
    assert!(matches!(Checkpoint::open(&index), Err(WorkloadsError::Io { .. })));
    for (text, expected) in [
        (r#"{"a":"../model-1.safetensors"}"#, Fault::FileName),
        (r#"{"a":"/etc/passwd"}"#, Fault::FileName),
        (r#"{"a":"model.safetensors.index.json"}"#, Fault::TooLarge),
        (r#"{"a":"model-1.safetensors","a":"model-2.safetensors"}"#, Fault::Duplicate),
        ("{}", Fault::Shape),
        ("[]", Fault::Syntax),
        (r#"{"a":1}"#, Fault::Syntax),
    ] {
        map(text);
        let (found, message) = fault(Checkpoint::open(&index));
        assert_eq!(found, expected, "{text}: {message}");
    }
}
