//! Resources and area of a machine's netlist, once for all machines of the same netlist.

use bitmosaic_arch::{Machine, Technology};
use bitmosaic_results::AreaUm2;
use bitmosaic_rtl::area::area;
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

/// Resources of a netlist, and its area in a technology.
#[derive(Debug, Clone)]
pub(crate) struct NetlistCost {
    /// The whole machine; of a design that is a tile alone, tile and aligner.
    pub(crate) total: TotalCost,
    /// Why not, where the technology's tables do not reach the machine's memories.
    pub(crate) area: Result<AreaUm2, String>,
}

/// Builds and counts the machine's netlist.
pub(crate) fn netlist_cost(machine: &Machine, technology: &Technology) -> Result<NetlistCost, String> {
    let units = build(machine).map_err(|e| format!("netlist of design `{}`: {e}", machine.name))?;
    let total = match &units.array {
        Some(array) => total_cost(std::iter::once(array)),
        None => total_cost(units.designs()),
    };
    Ok(NetlistCost { total, area: area(machine, &units, technology).map_err(|e| e.to_string()) })
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
        let technology = Technology::hpca25_28nm().unwrap();
        let cost = |machine: &Machine| netlist_cost(machine, &technology).unwrap();
        assert_eq!(cost(&own).total, cost(&same).total);
        assert_eq!(cost(&own).area, cost(&same).area);
        other.processing_element.significand_bits = Some(15);
        let larger = elaborate(&other, "other").unwrap();
        assert_ne!(netlist_key(&own), netlist_key(&larger));
        assert!(cost(&own).total.gate_equivalents() < cost(&larger).total.gate_equivalents());
        assert!(cost(&own).area.unwrap().total < cost(&larger).area.unwrap().total);
    }
}
