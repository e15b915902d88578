//! Writes the pages of sample documents into a folder, to look at them:
//! `cargo run -p bitmosaic-reports --example sample_page -- FOLDER`.

use std::path::PathBuf;

use bitmosaic_reports::{ReportsError, run_text, write_run_page};

#[path = "../tests/sample/mod.rs"]
mod sample;

fn main() -> Result<(), ReportsError> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    let mut differing = sample::run();
    differing.cosim = sample::differing();
    differing.simulate.cycles += 100;
    std::mem::swap(&mut differing.error.datapath, &mut differing.error.fp16_yardstick);
    for (name, document) in [
        ("report.html", sample::run()),
        ("report-differing.html", differing),
        ("report-hostile.html", sample::hostile(f64::NAN, u64::MAX)),
    ] {
        write_run_page(&folder.join(name), &document, &sample::details())?;
    }
    print!("{}", run_text(&sample::run(), &folder.join("report.html")));
    Ok(())
}
