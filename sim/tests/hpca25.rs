//! The published model against its published results: every cycle total, every rounded energy.

use bitmosaic_arch::Technology;
use bitmosaic_sim::hpca25::{MACHINES, MODELS, PublishedRun, run};
use bitmosaic_workloads::model::load;

/// Cycles of a prefill of 256 tokens, by machine and model: BitMoD's simulator at commit 6b68523.
const PREFILL: [[u64; 6]; 5] = [
    [669255680, 1399816192, 2878668800, 3156574208, 6676111360, 3969089536],
    [440975360, 847773696, 1734868992, 1949564928, 4076584960, 2266234880],
    [403718144, 779268096, 1575157760, 1768062976, 3648512000, 2008645632],
    [336236544, 693780480, 1414209536, 1649680384, 3537397760, 1901133824],
    [233070592, 515194880, 946937856, 1202921472, 2601461760, 1273233408],
];
/// Cycles of a decode at a context of 256.
const DECODE: [[u64; 6]; 5] = [
    [82153718, 165841248, 362970848, 413518608, 804330080, 469624976],
    [25779238, 51998112, 119342816, 129497936, 251907680, 132370576],
    [20018374, 41655712, 96691936, 97236816, 189155680, 105031744],
    [31220054, 62986912, 137681120, 156919888, 305157360, 178109840],
    [15857750, 31959712, 69662944, 79493200, 154552560, 90099088],
];
/// On-chip and total energy of the prefill in µJ.
const PREFILL_UJ: [[[u64; 2]; 6]; 5] = [
    [
        [656668, 2549499],
        [1273252, 6252350],
        [2614172, 13014774],
        [2928682, 15511221],
        [5742951, 36365139],
        [3279512, 18528841],
    ],
    [
        [459880, 1360903],
        [888236, 3147508],
        [1815179, 5659691],
        [2035862, 7426912],
        [3981122, 16936053],
        [2270541, 7910575],
    ],
    [
        [501789, 1308354],
        [969019, 2969260],
        [1960581, 5182082],
        [2192068, 6898215],
        [4285634, 15557969],
        [2440769, 7165633],
    ],
    [
        [317887, 1272043],
        [615118, 3020095],
        [1255562, 5452484],
        [1410390, 7186699],
        [2763255, 16664646],
        [1572255, 7727074],
    ],
    [
        [221382, 986623],
        [428524, 2315439],
        [871622, 3820005],
        [981870, 5388371],
        [1924566, 12460765],
        [1091548, 5416024],
    ],
];
/// Likewise of the decode.
const DECODE_UJ: [[[u64; 2]; 6]; 5] = [
    [[25745, 419862], [51929, 847599], [113537, 1854106], [129318, 2113617], [251588, 4110960], [146812, 2399478]],
    [[22139, 145879], [44668, 294259], [97934, 669718], [111292, 732882], [216575, 1425302], [125750, 760225]],
    [[23250, 119339], [46840, 246787], [104204, 567264], [115455, 582192], [225859, 1133377], [131179, 624942]],
    [[15691, 165547], [31662, 334000], [69245, 729367], [78882, 832097], [153502, 1618257], [89561, 943899]],
    [[10470, 86588], [21129, 174535], [46198, 380148], [52631, 434198], [102418, 844271], [59753, 491953]],
];

fn published(machine: usize, model: usize, prefill: bool) -> PublishedRun {
    let technology = Technology::hpca25_28nm().unwrap();
    run(&MACHINES[machine], &load(MODELS[model]).unwrap(), prefill, 256, &technology).unwrap()
}

/// Machine, model and phase with what they give, where that is not what was published.
fn differing<T: PartialEq + std::fmt::Debug>(
    totals: [(bool, [[T; 6]; 5]); 2],
    of: impl Fn(PublishedRun) -> T,
) -> Vec<String> {
    let mut differing = Vec::new();
    for (prefill, totals) in totals {
        for (machine, totals) in totals.iter().enumerate() {
            for (model, total) in totals.iter().enumerate() {
                let own = of(published(machine, model, prefill));
                if own != *total {
                    let (machine, model) = (MACHINES[machine].name, MODELS[model]);
                    differing.push(format!("{machine} {model}, prefill {prefill}: {own:?}, published {total:?}"));
                }
            }
        }
    }
    differing
}

#[test]
fn sixty_cycle_totals_are_the_published_ones() {
    let differing = differing([(true, PREFILL), (false, DECODE)], |run| run.cycles());
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn energies_are_the_published_ones_to_the_microjoule() {
    let micro = |picojoules: f64| (picojoules / 1e6).round_ties_even() as u64;
    let of = |run: PublishedRun| [run.energy().on_chip(), run.energy().total()].map(micro);
    let differing = differing([(true, PREFILL_UJ), (false, DECODE_UJ)], of);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn parts_of_the_energy_of_llama_2_7b_are_the_published_ones() {
    let parts = |machine, prefill| {
        let energy = published(machine, 3, prefill).energy();
        [energy.compute, energy.sram_read, energy.sram_write, energy.dram].map(|pj| (pj / 1e6).round_ties_even() as u64)
    };
    assert_eq!(parts(0, true), [2353197, 465909, 109576, 12582538]);
    assert_eq!(parts(4, true), [833057, 111975, 36837, 4406501]);
    assert_eq!(parts(0, false), [91930, 21248, 16140, 1984300]);
    assert_eq!(parts(4, false), [44516, 4802, 3313, 381567]);
}

#[test]
fn other_models_are_refused() {
    let technology = Technology::hpca25_28nm().unwrap();
    let mut model = load("llama-2-7b").unwrap();
    model.name = "mine".into();
    let error = run(&MACHINES[0], &model, true, 256, &technology).unwrap_err().to_string();
    assert!(error.contains("mine") && error.contains("llama-2-7b"), "{error}");
}
