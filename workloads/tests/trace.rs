//! Layer traces: what is written is read back bit for bit, and every inconsistency has its own fault.

use std::fs;
use std::path::Path;

use bitmosaic_numerics::{QuantizedMatrix, f16, registry, weight_type};
use bitmosaic_workloads::generate::{ActivationKind, LayerParameters, generate};
use bitmosaic_workloads::trace::{
    Activations, DATA_FILE, INDEX_FILE, LayerTrace, NonFinite, Trace, read_trace, write_trace,
};
use bitmosaic_workloads::{Fault, WorkloadsError};

mod common;
use common::{layer, reseal};

/// Equality of bits, NaN included.
fn assert_same(a: &LayerTrace, b: &LayerTrace) {
    let bits = |v: &[f16]| v.iter().map(|v| v.to_bits()).collect::<Vec<u16>>();
    assert_eq!((&a.name, &a.weights), (&b.name, &b.weights));
    assert_eq!(a.activations.tokens, b.activations.tokens);
    assert_eq!(bits(&a.activations.values), bits(&b.activations.values));
}

#[test]
fn every_type_and_kind_of_activations_round_trips() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("made/on/the/way");
    let mut layers = Vec::new();
    for t in registry() {
        for (number, kind) in ActivationKind::ALL.into_iter().enumerate() {
            // Odd sizes: a short last group, a row whose packed codes end within a byte.
            let mut layer = layer(&t, 3 + number, 21 + number, 8, number as u64);
            layer.name = format!("{} \"{}\", größer;\u{3bb}", t.name, kind.name());
            let parameters =
                LayerParameters { input_channels: 21 + number, tokens: 2, activations: kind, ..Default::default() };
            layer.activations = generate(&parameters).unwrap().activations;
            layers.push(layer);
        }
    }
    write_trace(&dir, &layers).unwrap();
    let read = read_trace(&dir, NonFinite::Allow).unwrap();
    assert_eq!(read.len(), layers.len());
    read.iter().zip(&layers).for_each(|(a, b)| assert_same(a, b));
    // The same layers give the same bytes, and nothing else is left in the folder.
    let bytes = |name| fs::read(dir.join(name)).unwrap();
    let before = (bytes(INDEX_FILE), bytes(DATA_FILE));
    write_trace(&dir, &layers).unwrap();
    assert_eq!((bytes(INDEX_FILE), bytes(DATA_FILE)), before);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
    // Other readers of the format agree with the header.
    let tensors = safetensors::SafeTensors::deserialize(&before.1).unwrap();
    let zero_points = layers.iter().filter(|l| l.weights.weight_type.has_zero_point()).count();
    assert_eq!(tensors.len(), 5 * layers.len() + zero_points);
    assert_eq!(tensors.tensor("layer.0.codes").unwrap().shape(), [3, 11]);
    // One layer alone, and the index.
    let trace = Trace::open(&dir).unwrap();
    assert_same(&trace.read_layer(3, NonFinite::Refuse).unwrap(), &layers[3]);
    assert_eq!((trace.layers()[3].input_channels, trace.layers()[3].group), (24, 8));
    assert!(matches!(trace.read_layer(layers.len(), NonFinite::Allow), Err(WorkloadsError::Request { .. })));
}

#[test]
fn non_finite_activations_are_refused_with_the_place_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut layer = layer(&weight_type("int4").unwrap(), 2, 10, 8, 1);
    layer.activations.values[13] = f16::NEG_INFINITY;
    layer.activations.values[17] = f16::NAN;
    write_trace(folder.path(), std::slice::from_ref(&layer)).unwrap();
    let error = read_trace(folder.path(), NonFinite::Refuse).unwrap_err();
    assert!(matches!(error, WorkloadsError::NotFinite { row: 1, column: 3, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("layer `first`") && message.contains("-inf"), "{message}");
    assert_same(&read_trace(folder.path(), NonFinite::Allow).unwrap()[0], &layer);
}

#[test]
fn layers_that_do_not_hold_together_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let good = layer(&weight_type("bitmod-fp4").unwrap(), 2, 10, 8, 1);
    let int4 = layer(&weight_type("int4").unwrap(), 2, 10, 8, 1);
    let activations = good.activations.clone();
    let broken = |change: fn(&mut LayerTrace), base: &LayerTrace| {
        let mut layer = base.clone();
        change(&mut layer);
        layer
    };
    for (what, layer) in [
        ("input channels of the activations", broken(|l| l.activations.input_channels = 11, &good)),
        ("activation values", broken(|l| l.activations.values.truncate(19), &good)),
        ("activation values", broken(|l| *l = LayerTrace { activations: empty(), ..l.clone() }, &good)),
        ("length of codes", broken(|l| l.weights.codes.truncate(3), &good)),
        ("special value selector", broken(|l| l.weights.selectors[0] = 4, &good)),
        ("channel scale", broken(|l| l.weights.channel_scales[1] = f16::NAN, &good)),
        ("value 1000 of weight type", broken(|l| l.weights.special_values[2] = 1000, &good)),
        ("special value of a `int4`", broken(|l| l.weights.special_values[3] = 1, &int4)),
        ("code of a `int4`", broken(|l| l.weights.codes[7] = 16, &int4)),
        ("weight type", broken(|l| l.weights.weight_type.fraction_bits = 1, &int4)),
        ("weight type `mine` is not known", broken(|l| l.weights.weight_type.name = "mine", &good)),
        ("layer name", broken(|l| l.name = String::new(), &good)),
        ("layer name", broken(|l| l.name = "a\nb".into(), &good)),
        ("layer name", broken(|l| l.name = "a".repeat(257), &good)),
    ] {
        let error = write_trace(folder.path(), &[layer]).unwrap_err();
        assert!(matches!(error, WorkloadsError::Numerics { .. }), "{error}");
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    for layers in [vec![], vec![good.clone(), good]] {
        assert!(matches!(write_trace(folder.path(), &layers), Err(WorkloadsError::Request { .. })));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let layer = LayerTrace { activations, ..int4 };
    assert!(matches!(write_trace(&blocked, &[layer]), Err(WorkloadsError::Io { .. })));
}

fn empty() -> Activations {
    Activations { tokens: 0, input_channels: 10, values: Vec::new() }
}

/// A valid trace of two layers, and its index with `from` replaced by `to`.
fn changed_index(folder: &Path, from: &str, to: &str) -> Result<Vec<LayerTrace>, WorkloadsError> {
    let first = layer(&weight_type("bitmod-fp4").unwrap(), 2, 10, 8, 1);
    let second = LayerTrace { name: "second".into(), ..layer(&weight_type("int4").unwrap(), 3, 10, 8, 2) };
    write_trace(folder, &[first, second]).unwrap();
    let path = folder.join(INDEX_FILE);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
    read_trace(folder, NonFinite::Refuse)
}

#[test]
fn every_fault_of_the_index_is_refused_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(changed_index(folder.path(), "first", "another name").unwrap().len(), 2);
    let sha = {
        let text = fs::read_to_string(folder.path().join(INDEX_FILE)).unwrap();
        text.lines().nth(1).unwrap().split(',').nth(9).unwrap().to_string()
    };
    let other_sha = format!("{}{}", if sha.starts_with('0') { "1" } else { "0" }, &sha[1..]);
    let huge = "9".repeat(400_000);
    let cases: Vec<(&str, &str, Fault, &str)> = vec![
        ("name,tokens", "name,token", Fault::Column, "unknown column `token`"),
        ("name,tokens", "tokens,name", Fault::Column, "another order"),
        (",tensors\n", "\n", Fault::Column, "no column `tensors`"),
        (",tensors\n", ",tensors,name\n", Fault::Column, "a column twice"),
        (",tensors\n", ",tensors,note\n", Fault::Column, "unknown column `note`"),
        ("first,2", "first", Fault::Syntax, "line 2"),
        ("first,2", "first,2,2", Fault::Syntax, "line 2"),
        ("first,2", "first,two", Fault::Syntax, "line 2, column `tokens`"),
        ("first,2", "first,-2", Fault::Syntax, "line 2, column `tokens`"),
        ("first,2", &huge, Fault::Syntax, "line 2"),
        ("first,2", "first,0", Fault::Field, "line 2, column `tokens`: found `0`"),
        ("first,2", "first,16777217", Fault::Field, "1 to 16777216"),
        ("first,2", "first,18446744073709551615", Fault::Field, "1 to 16777216"),
        (
            "first,2",
            "first,3",
            Fault::Shape,
            "`layer.0.activations` of layer `first`: found shape [2, 10], expected [3, 10]",
        ),
        ("first,2,2,10,8", "first,2,2,9,8", Fault::Shape, "`layer.0.activations`"),
        ("first,2,2,10,8", "first,2,2,16000000,8", Fault::Shape, "`layer.0.codes`"),
        ("first,2,2,10,8", "first,2,2,10,0", Fault::Field, "column `group`"),
        ("first,2,2,10,8", "first,2,2,10,257", Fault::Field, "1 to 256"),
        ("first", "", Fault::Field, "column `name`"),
        ("first", "\"a\nb\"", Fault::Field, "a\\nb"),
        ("first", "\u{1b}[31m", Fault::Field, "\\u{1b}"),
        ("first", "second", Fault::Duplicate, "line 3, column `name`"),
        ("second", "first", Fault::Duplicate, "line 3, column `name`"),
        ("layer.1", "layer.0", Fault::Duplicate, "line 3, column `tensors`"),
        ("layer.0", "", Fault::Field, "column `tensors`"),
        ("bitmod-fp4", "bitmod-fp5", Fault::Field, "one of bitmod-fp4, int4"),
        ("10;-10;16;-16", "10;-10;16", Fault::Field, "4 integers"),
        ("10;-10;16;-16", "10;-10;16;x", Fault::Field, "4 integers"),
        (",int8,", ",int9,", Fault::Field, "one of int8, e8m0, e4m3, fp16"),
        (",int8,", ",fp16,", Fault::ElementType, "`layer.0.scales`"),
        ("trace.safetensors", "../trace.safetensors", Fault::FileName, "column `file`"),
        ("trace.safetensors", "/etc/passwd", Fault::FileName, "column `file`"),
        ("trace.safetensors", "layers.csv", Fault::Checksum, "layers.csv"),
        (&sha, &other_sha, Fault::Checksum, "trace.safetensors: the file: found SHA-256"),
        (&sha, "12", Fault::Field, "64 lower-case hexadecimal digits"),
        ("first", "\"first", Fault::Syntax, "found 1 fields"),
    ];
    for (from, to, expected, named) in cases {
        let error = changed_index(folder.path(), from, to).unwrap_err();
        let message = error.to_string();
        let place: String = to.chars().take(40).collect();
        assert!(message.contains(named) && message.len() < 2000, "{from} -> {place}: {message}");
        match error {
            WorkloadsError::Malformed { fault, .. } => assert_eq!(fault, expected, "{from} -> {place}: {message}"),
            _ => panic!("{from} -> {place}: {message}"),
        }
    }
    let unknown = changed_index(folder.path(), "layer.0", "layer.7").unwrap_err();
    assert!(matches!(unknown, WorkloadsError::UnknownTensor { .. }), "{unknown}");
    let special = changed_index(folder.path(), "10;-10;16;-16", "10;-10;16;2147483647").unwrap_err();
    assert!(
        special.to_string().contains("layer `first`: special value of a `bitmod-fp4` weight: found 2147483647"),
        "{special}"
    );
    let none = changed_index(folder.path(), "0;0;0;0", "0;0;0;5").unwrap_err();
    assert!(none.to_string().contains("the type has none"), "{none}");
}

#[test]
fn faults_of_the_tensors_are_found_even_if_the_hash_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let layer = layer(&weight_type("int4").unwrap(), 2, 9, 8, 1);
    write_trace(folder.path(), std::slice::from_ref(&layer)).unwrap();
    let path = folder.path().join(DATA_FILE);
    let good = fs::read(&path).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let header_bytes = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let place = |name: &str| {
        let header: serde_json::Value = serde_json::from_slice(&good[8..header_bytes]).unwrap();
        header_bytes + header[format!("layer.0.{name}")]["data_offsets"][0].as_u64().unwrap() as usize
    };
    let attempt = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        reseal(folder.path());
        read_trace(folder.path(), NonFinite::Refuse).map(|_| ()).map_err(|e| e.to_string())
    };
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(attempt(&good), Ok(()));
    // Without a new hash the change itself is noticed.
    fs::write(&path, with(place("scales"), 77)).unwrap();
    assert!(matches!(
        read_trace(folder.path(), NonFinite::Refuse),
        Err(WorkloadsError::Malformed { fault: Fault::Checksum, .. })
    ));
    let refused = |bytes: &[u8], named: &str| {
        let message = attempt(bytes).unwrap_err();
        assert!(message.contains(named), "{named}: {message}");
    };
    refused(&with(place("selectors"), 4), "special value selector");
    refused(&with(place("codes") + 4, 0xF0), "packed codes");
    refused(&with(place("channel_scales") + 1, 0x7C), "channel scale");
    refused(&with(place("activations") + 1, 0x7C), "activations of layer `first`");
    refused(&good[..good.len() - 1], "end of the file");
    let renamed = text(&good[..header_bytes]).replace("\"F16\",\"shape\":[2]", "\"I16\",\"shape\":[2]");
    let mut bytes = renamed.into_bytes();
    bytes.extend(&good[header_bytes..]);
    refused(&bytes, "`layer.0.channel_scales` of layer `first`: found I16, expected F16");
}

#[test]
fn an_index_without_layers_or_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let attempt = |text: &[u8]| {
        fs::write(folder.path().join(INDEX_FILE), text).unwrap();
        match read_trace(folder.path(), NonFinite::Refuse).unwrap_err() {
            WorkloadsError::Malformed { fault, .. } => fault,
            other => panic!("{other}"),
        }
    };
    let header =
        "name,tokens,output_channels,input_channels,group,weight_type,special_values,scale_kind,file,sha256,tensors\n";
    assert_eq!(attempt(b""), Fault::Column);
    assert_eq!(attempt(header.as_bytes()), Fault::Shape);
    assert_eq!(attempt(b"\xff\xfe\n"), Fault::Syntax);
    assert_eq!(attempt(&vec![b','; (16 << 20) + 1]), Fault::TooLarge);
    let missing = read_trace(&folder.path().join("none"), NonFinite::Refuse).unwrap_err();
    assert!(matches!(missing, WorkloadsError::Io { .. }), "{missing}");
}

/// What [`common::layer`] makes is a matrix in the sense of the numerics.
#[test]
fn test_layers_are_valid() {
    for t in registry() {
        let QuantizedMatrix { .. } = layer(&t, 1, 1, 1, 0).weights;
        layer(&t, 7, 65, 64, 3).check().unwrap();
    }
}
