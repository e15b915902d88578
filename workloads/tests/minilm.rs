//! The real checkpoint: the reader on it, and the figures that generated layers follow, measured again.
//!
//! `BITMOSAIC_MINILM=$(scripts/fetch-minilm) cargo test -p bitmosaic-workloads --features external-data --test minilm`

use std::path::PathBuf;

use bitmosaic_workloads::checkpoint::{Checkpoint, ValueCheck};
use bitmosaic_workloads::generate::MEASURED_QUARTILES;
use bitmosaic_workloads::statistics::{WeightStatistics, percentile};

/// The checkpoint that `BITMOSAIC_MINILM` names. Another file than the measured one fails on the figures.
fn checkpoint() -> Checkpoint {
    let path =
        std::env::var_os("BITMOSAIC_MINILM").expect("BITMOSAIC_MINILM: the path that scripts/fetch-minilm prints");
    Checkpoint::open(&PathBuf::from(path)).unwrap()
}

/// `encoder.layer.*` has the linear layers, six matrices each.
fn linear_layers(checkpoint: &Checkpoint) -> Vec<String> {
    let linear = checkpoint.tensors().iter().filter(|t| t.shape.len() == 2 && t.name.starts_with("encoder.layer."));
    linear.map(|t| t.name.clone()).collect()
}

#[test]
fn measured_figures_are_those_documented() {
    let checkpoint = checkpoint();
    let names = linear_layers(&checkpoint);
    assert_eq!(names.len(), 36);
    let figures: Vec<_> = names
        .iter()
        .map(|name| {
            let matrix = checkpoint.read_matrix(name, ValueCheck::FiniteAsF16).unwrap();
            WeightStatistics::of(matrix.columns, &matrix.data).figures()
        })
        .collect();
    for (index, (name, expected)) in MEASURED_QUARTILES.into_iter().enumerate() {
        let mut column: Vec<f64> = figures.iter().map(|f| f[index].1).collect();
        column.sort_by(f64::total_cmp);
        let found = [0.25, 0.5, 0.75].map(|fraction| percentile(&column, fraction));
        println!("{name}: {found:.4?}, range {:.4?} to {:.4?}", column[0], column[35]);
        assert_eq!(figures[0][index].0, name);
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() <= 0.001 * expected, "{name}: {found} {expected}");
        }
    }
}

#[test]
fn every_matrix_of_the_file_can_be_read() {
    let checkpoint = checkpoint();
    let mut values = 0;
    for tensor in checkpoint.tensors() {
        let read = checkpoint.read_matrix(&tensor.name, ValueCheck::Finite);
        match (tensor.dtype.as_str(), tensor.shape.as_slice()) {
            ("F32", [rows, columns]) => {
                let matrix = read.unwrap();
                assert_eq!((matrix.rows, matrix.columns, matrix.data.len()), (*rows, *columns, rows * columns));
                values += rows * columns;
            }
            _ => assert!(read.is_err(), "{}", tensor.name),
        }
    }
    println!("{} tensors, {values} values in matrices", checkpoint.tensors().len());
    assert!(values > 20_000_000);
}
