//! The embedding tables of a made-up checkpoint: which rows are read, and what is refused.

use std::path::{Path, PathBuf};

use bitmosaic_workloads::WorkloadsError;
use bitmosaic_workloads::bert::embedding_rows;
use bitmosaic_workloads::checkpoint::{Checkpoint, ValueCheck};

const WORD: &str = "embeddings.word_embeddings.weight";
const POSITION: &str = "embeddings.position_embeddings.weight";

/// Name and shape of the tensors; value `i` of tensor `t` is `1000 t + i`.
fn tensors() -> Vec<(&'static str, Vec<usize>)> {
    vec![
        (WORD, vec![5, 3]),
        (POSITION, vec![4, 3]),
        ("embeddings.token_type_embeddings.weight", vec![2, 3]),
        ("embeddings.LayerNorm.weight", vec![3]),
        ("embeddings.LayerNorm.bias", vec![3]),
    ]
}

fn write(folder: &Path, tensors: &[(&str, Vec<usize>)], change: impl Fn(&mut [f32])) -> PathBuf {
    let (mut fields, mut data) = (Vec::new(), Vec::new());
    for (t, (name, shape)) in tensors.iter().enumerate() {
        let begin = data.len() * 4;
        data.extend((0..shape.iter().product()).map(|i| (1000 * t + i) as f32));
        let end = data.len() * 4;
        fields.push(format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#));
    }
    change(&mut data);
    let header = format!("{{{}}}", fields.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data.iter().flat_map(|v| v.to_le_bytes()));
    let path = folder.join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn rows_are_those_of_the_ids_and_of_the_positions() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write(folder.path(), &tensors(), |_| {})).unwrap();
    let rows = embedding_rows(&checkpoint, &[4, 0, 4]).unwrap();
    assert_eq!(rows.addends[0], [12.0, 13.0, 14.0, 0.0, 1.0, 2.0, 12.0, 13.0, 14.0]);
    assert_eq!(rows.addends[1], (1000..1009).map(|v| v as f32).collect::<Vec<_>>());
    assert_eq!(rows.addends[2], [2000.0, 2001.0, 2002.0].repeat(3));
    assert_eq!((rows.norm_weight, rows.norm_bias), (vec![3000.0, 3001.0, 3002.0], vec![4000.0, 4001.0, 4002.0]));
}

#[test]
fn rows_are_the_rows_of_the_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write(folder.path(), &tensors(), |_| {})).unwrap();
    let whole = checkpoint.read_matrix(POSITION, ValueCheck::Finite).unwrap();
    let all = checkpoint.read_rows(POSITION, &[0, 1, 2, 3], ValueCheck::Finite).unwrap();
    assert_eq!(whole, all);
    let error = checkpoint.read_rows(POSITION, &[1, 4], ValueCheck::Finite).unwrap_err().to_string();
    assert!(error.contains("position_embeddings") && error.contains("found 4, expected 0 to 3"), "{error}");
    let error = checkpoint.read_vector(POSITION, ValueCheck::Finite).unwrap_err().to_string();
    assert!(error.contains("shape [4, 3]") && error.contains("one dimension"), "{error}");
}

#[track_caller]
fn refused(folder: &Path, path: &Path, ids: &[usize], words: &[&str]) -> WorkloadsError {
    let error = embedding_rows(&Checkpoint::open(path).unwrap(), ids).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(folder.to_str().unwrap()), "names the file: {text}");
    for word in words {
        assert!(text.contains(word), "should name `{word}`: {text}");
    }
    error
}

#[test]
fn ids_beyond_the_tables_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &tensors(), |_| {});
    refused(folder.path(), &path, &[1, 5], &["token id number 2", "found 5", "0 to 4"]);
    refused(folder.path(), &path, &[0; 5], &["number of token ids", "found 5", "1 to 4", "position_embeddings"]);
    refused(folder.path(), &path, &[], &["number of token ids", "found 0"]);
    assert!(embedding_rows(&Checkpoint::open(&path).unwrap(), &[0; 4]).is_ok());
}

#[test]
fn tables_that_are_absent_or_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (index, (name, _)) in tensors().into_iter().enumerate() {
        let mut absent = tensors();
        absent.remove(index);
        let path = write(folder.path(), &absent, |_| {});
        let error = refused(folder.path(), &path, &[1], &[name, "there is no tensor"]);
        assert!(matches!(error, WorkloadsError::UnknownTensor { .. }));
        let mut wide = tensors();
        *wide[index].1.last_mut().unwrap() = 7;
        let path = write(folder.path(), &wide, |_| {});
        refused(folder.path(), &path, &[1], &["a width of", "embeddings."]);
    }
}

#[test]
fn a_value_that_is_not_finite_is_refused_only_where_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &tensors(), |data| data[3 * 3 + 1] = f32::NAN);
    refused(folder.path(), &path, &[0, 3], &["word_embeddings", "row 3, column 1", "NaN"]);
    assert!(embedding_rows(&Checkpoint::open(&path).unwrap(), &[0, 2, 4]).is_ok());
}
