//! Resources of a machine's netlist, once for all machines of the same netlist.

use bitmosaic_arch::Machine;
use bitmosaic_rtl::cost::{TotalCost, total_cost};
use bitmosaic_rtl::hardware::build;
use sha2::{Digest as _, Sha256};

/// What the netlist depends on: the machine but for names, clock and the vector unit, which has no hardware.
pub(crate) type NetlistKey = [u8; 32];

pub(crate) fn netlist_key(machine: &Machine) -> NetlistKey {
    let same = Machine {
        name: String::new(),
        summary: String::new(),
        design_sha256: String::new(),
        clock_mhz: 0,
        vector_lanes: None,
        ..machine.clone()
    };
    Sha256::digest(format!("{same:?}")).into()
}

/// Counts the whole machine's netlist; of a design that is a tile alone, tile and aligner.
pub(crate) fn area(machine: &Machine) -> Result<TotalCost, String> {
    let units = build(machine).map_err(|e| format!("netlist of design `{}`: {e}", machine.name))?;
    Ok(match &units.array {
        Some(array) => total_cost(std::iter::once(array)),
        None => total_cost(units.designs()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitmosaic_arch::{elaborate, load_spec};

    #[test]
    fn equal_keys_are_equal_netlists() {
        let (spec, own) = load_spec("mosaic-small").unwrap();
        let mut other = spec.clone();
        (other.name, other.summary, other.clock_mhz) = ("other".into(), "another".into(), 7);
        let same = elaborate(&other, "other").unwrap();
        assert_eq!(netlist_key(&own), netlist_key(&same));
        assert_eq!(area(&own).unwrap(), area(&same).unwrap());
        other.processing_element.significand_bits = Some(15);
        let larger = elaborate(&other, "other").unwrap();
        assert_ne!(netlist_key(&own), netlist_key(&larger));
        assert!(area(&own).unwrap().gate_equivalents() < area(&larger).unwrap().gate_equivalents());
    }
}
