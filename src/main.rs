//! The `bitmosaic` command line.
fn main() {}
