//! The `bitmosaic` command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    bitmosaic::main()
}
