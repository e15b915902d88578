//! Sweeps: the same bytes at any number of threads and after any cut, no point lost, samples of the grid.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bitmosaic_explore::{RESULTS_FILE, SPECS, Spec, Table, load, parse, result, sweep};

const AXES: &str = r#"
[axes]
type = ["bitmod-fp4", "int6"]
group = { from = 32, to = 128, factor = 2 }
memory_bytes_per_cycle = [4, 32]
processing_element.lanes = [4, 8, 3]
"processing_element.significand_bits" = [12, 16]
tiles = [{ "array.down" = 1, "array.across" = 2 }, { "array.down" = 2, "array.across" = 2, "vector_unit.lanes" = 8 }]
"#;

fn run(spec: &Spec, folder: &Path, threads: usize) -> Vec<u8> {
    sweep(spec, folder, Some(threads), &|_, _| {}).unwrap();
    std::fs::read(folder.join(RESULTS_FILE)).unwrap()
}

#[test]
fn threads_and_cuts_do_not_show() {
    let folder = tempfile::tempdir().unwrap();
    let spec = parse(&common::text(folder.path(), AXES), "test.toml").unwrap();
    let place = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let whole = run(&spec, &place("one"), 1);
    assert!(whole == run(&spec, &place("two"), 2) && whole == run(&spec, &place("four"), 4));
    // Nothing is left to do.
    assert_eq!(sweep(&spec, &place("one"), None, &|_, _| {}).unwrap().made, 0);
    for cut in [0, 1, 700, whole.len() / 2, whole.len() - 1] {
        std::fs::write(place("two").join(RESULTS_FILE), &whole[..cut]).unwrap();
        assert!(run(&spec, &place("two"), 2) == whole, "cut at {cut}");
    }
    // Each key once: two values of W have the same timing, two bandwidths, groups and vector units the same netlist.
    let done = sweep(&spec, &place("five"), Some(2), &|_, _| {}).unwrap();
    assert!(2 * done.programs[1] < done.programs[0], "{:?}", done.programs);
    assert!(5 * done.netlists[1] < done.netlists[0], "{:?}", done.netlists);

    // No point is lost: three lanes do not elaborate, with the field and what would be right.
    let table = done.table;
    let result = result(&spec, &table).unwrap();
    assert_eq!(result.points, 2 * 3 * 2 * 3 * 2 * 2);
    assert_eq!(result.status, BTreeMap::from([("no-machine".to_string(), 48), ("ok".to_string(), 96)]));
    assert!(result.reasons[0].0.contains("processing_element.lanes") && result.reasons[0].0.contains("power of two"));
    // A reference row in each of the surroundings: types, groups, bandwidths.
    assert_eq!(result.rows - result.points, 2 * 3 * 2);
    assert_eq!(result.iso_area.len(), 2 * 12);
    check_fronts(&table, &result.fronts);
    check_iso_area(&table, &result.iso_area);
}

fn number(table: &Table, row: usize, column: &str) -> Option<f64> {
    table.cell(row, column).parse().ok()
}

/// A front by its definition.
fn check_fronts(table: &Table, fronts: &[bitmosaic_results::ParetoFront]) {
    assert_eq!(fronts.len(), 4);
    for front in fronts.iter().filter(|front| front.columns.len() == 2) {
        let [x, y] = &front.columns[..] else { panic!("{:?}", front.columns) };
        let place = |row: usize| Some((number(table, row, x)?, number(table, row, y)?));
        let points: Vec<_> = (0..144).filter_map(|row| Some((row, place(row)?))).collect();
        assert_eq!(front.candidates, points.len() as u64);
        let beaten = |(x, y): (f64, f64)| points.iter().any(|(_, (a, b))| *a <= x && *b <= y && (*a < x || *b < y));
        let expected: BTreeSet<u64> = points.iter().filter(|(_, p)| !beaten(*p)).map(|(row, _)| *row as u64).collect();
        assert_eq!(front.points.iter().map(|point| point.row).collect::<BTreeSet<_>>(), expected);
    }
}

fn check_iso_area(table: &Table, comparisons: &[bitmosaic_results::IsoArea]) {
    for comparison in comparisons {
        let reference = comparison.reference_row as usize;
        assert_eq!((table.cell(reference, "role"), table.cell(reference, "design")), ("reference", "bitmod"));
        let keys = ["type", "group", "memory_bytes_per_cycle"];
        let same = |row: &usize| keys.iter().all(|key| table.cell(*row, key) == table.cell(reference, key));
        let area = number(table, reference, "area_um2").unwrap();
        let column = format!("{}.seconds", comparison.phase);
        let small = (0..144).filter(same).filter(|row| number(table, *row, "area_um2").is_some_and(|own| own <= area));
        let best = small.filter_map(|row| number(table, row, &column)).fold(f64::INFINITY, f64::min);
        assert_eq!(comparison.seconds[1], Some(best));
        for (row, cycles) in [Some(comparison.reference_row), comparison.best_row].into_iter().zip(comparison.cycles) {
            let c = cycles.unwrap();
            let all = c.compute + c.memory + c.scale_unit + c.fill_drain + c.vector;
            let column = format!("{}.cycles", comparison.phase);
            assert_eq!(number(table, row.unwrap() as usize, &column), Some(all as f64));
        }
    }
}

#[test]
fn a_sample_is_some_of_the_grid() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |more: &str, name: &str| -> Vec<Vec<String>> {
        let spec = parse(&common::text(folder.path(), &format!("{AXES}{more}")), "test.toml").unwrap();
        let place = folder.path().join(name);
        std::fs::create_dir_all(&place).unwrap();
        let table = sweep(&spec, &place, Some(2), &|_, _| {}).unwrap().table;
        let points = (0..table.rows.len()).filter(|row| table.is_point(*row));
        points.map(|row| table.rows[row][1..].to_vec()).collect()
    };
    let grid = rows("", "grid");
    let sample = rows("[sample]\npoints = 30\nseed = 5\n", "a");
    assert_eq!(sample.len(), 30);
    let places: Vec<_> = sample.iter().map(|row| grid.iter().position(|other| other == row).unwrap()).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "different ones in the order of the grid");
    assert_eq!(sample, rows("[sample]\npoints = 30\nseed = 5\n", "b"));
    assert_ne!(sample, rows("[sample]\npoints = 30\nseed = 6\n", "c"));
    assert_eq!(grid, rows("[sample]\npoints = 144\nseed = 6\n", "d"));
}

#[test]
fn mappings_are_an_axis() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("one.toml"),
        "name = \"one\"\nsummary = \"\"\nrow_blocks = 1\ncolumn_blocks = 1\n",
    )
    .unwrap();
    let one = folder.path().join("one.toml").display().to_string();
    let axes = format!("[axes]\nmapping = [\"best\", \"input-stationary\", '{one}']\n");
    let spec = parse(&common::text(folder.path(), &axes), "test.toml").unwrap();
    let table = sweep(&spec, folder.path(), None, &|_, _| {}).unwrap().table;
    let column = |name: &str| [0, 1, 2].map(|row| number(&table, row, &format!("prefill:20.{name}")).unwrap());
    let [bytes, cycles] = ["bytes_read", "cycles"].map(column);
    // The best mapping is that of the fewest bytes.
    assert!(bytes[0] <= bytes[1] && bytes[0] <= bytes[2] && cycles[0] != cycles[2], "{bytes:?} {cycles:?}");
    assert_eq!(table.cell(1, "mapping"), "input-stationary");
    assert_eq!(spec.mappings().len(), 3);
    // A reference in each.
    assert_eq!(table.rows.len(), 3 + 3);
    let error = parse(&common::text(folder.path(), "[axes]\nmapping = [\"other\"]\n"), "test.toml").unwrap_err();
    assert!(error.to_string().contains("axes.mapping") && error.to_string().contains("weight-stationary"), "{error}");
}

#[test]
fn references_may_have_their_own_types() {
    let folder = tempfile::tempdir().unwrap();
    let fp16 = "{ design = \"fp16\", type = \"fp16\", cache_type = \"fp16\" }";
    let text = common::text(folder.path(), "[axes]\ntype = [\"int4\", \"int6\"]\ngroup = [32, 64]\n");
    let text = text.replace("references = [\"bitmod\"]", &format!("references = [\"bitmod\", {fp16}]"));
    let spec = parse(&text, "test.toml").unwrap();
    let table = sweep(&spec, folder.path(), None, &|_, _| {}).unwrap().table;
    let cell = |row: usize, column: &str| table.cell(row, column).to_string();
    let types: Vec<_> = (4..table.rows.len()).map(|row| (cell(row, "design"), cell(row, "type"))).collect();
    let pair = |own: &str| [("bitmod".to_string(), own.to_string()), ("fp16".to_string(), "fp16".to_string())];
    assert_eq!(types, ["int4", "int6", "int4", "int6"].map(pair).concat());
    // Beside the points in whose surroundings they run, not beside each other.
    let result = result(&spec, &table).unwrap();
    let beside: BTreeSet<_> =
        result.iso_area.iter().filter(|own| own.reference == "fp16").map(|own| own.surroundings.clone()).collect();
    assert_eq!(beside.len(), 4);
    assert!(beside.iter().all(|around| around.contains("int4 g") || around.contains("int6 g")), "{beside:?}");
}

#[test]
fn designs_are_an_axis_and_what_cannot_run_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let more = "[axes]\ndesign = [\"mosaic\", \"mosaic-tile\", \"bitmod\"]\ngroup = [32, 60]\n";
    let spec = parse(&common::text(folder.path(), more), "test.toml").unwrap();
    let table = sweep(&spec, folder.path(), None, &|_, _| {}).unwrap().table;
    let cell = |row: usize, column: &str| table.cell(row, column).to_string();
    let status: Vec<_> = (0..6).map(|row| (cell(row, "design"), cell(row, "group"), cell(row, "status"))).collect();
    let expected = [
        ("mosaic", "32", "ok"),
        ("mosaic", "60", "no-fit"),
        ("mosaic-tile", "32", "no-fit"),
        ("mosaic-tile", "60", "no-fit"),
        ("bitmod", "32", "ok"),
        ("bitmod", "60", "no-fit"),
    ];
    assert_eq!(status, expected.map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())));
    assert!(cell(1, "reason").contains("multiple of 16 input channels"), "{}", cell(1, "reason"));
    assert!(cell(2, "reason").contains("vector_unit"), "{}", cell(2, "reason"));
}

#[test]
fn embedded_specs_are_right() {
    let points: Vec<usize> = SPECS.iter().map(|(name, _)| load(name).unwrap().space.points()).collect();
    assert_eq!(points, [2304, 22, 8]);
}
