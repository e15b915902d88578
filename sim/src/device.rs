//! Memory devices as data, on the `ideal` memory: their peak bandwidth times what sequential reads reach of it, and the latency of
//! a closed row. No banks, rows or refresh: results say `ideal`.

use serde::Deserialize;

use crate::memory::MemoryTiming;

/// A device file of `sim/devices/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name on the command line.
    pub name: String,
    /// One line for listings.
    pub summary: String,
    /// Where the figures come from.
    pub source: String,
    /// Peak of all channels, 10^9 bytes a second.
    pub gigabytes_per_second: f64,
    /// From a request to its first data with a closed row.
    pub latency_ns: f64,
    /// Share of the peak that sequential reads reach.
    pub efficiency: f64,
    /// Energy of a bit read or written, interface included.
    pub pj_per_bit: f64,
    /// Where that comes from.
    pub energy_source: String,
}

macro_rules! devices {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../devices/", $name, ".toml")))),*]
    };
}

/// Names and texts of the embedded devices, in the order of listings. Adding one is a file in `sim/devices/` and a name here.
pub const DEVICES: [(&str, &str); 5] = devices!("ddr4-2133", "ddr4-3200", "lpddr5-6400", "hbm2", "gddr6");

impl Device {
    /// The embedded device of this name.
    ///
    /// # Errors
    /// A sentence with the names there are.
    pub fn named(name: &str) -> Result<Device, String> {
        let names = || DEVICES.map(|(name, _)| name).join(", ");
        let found = DEVICES.iter().find(|(own, _)| *own == name);
        let (_, text) = found.ok_or_else(|| format!("`{name}` is none of {}", names()))?;
        toml::from_str(text).map_err(|error| format!("device {name}: {error}"))
    }

    /// The `ideal` memory with this device's bandwidth and latency, in cycles of a clock.
    pub fn timing(&self, clock_mhz: u32) -> MemoryTiming {
        let gigahertz = f64::from(clock_mhz) / 1e3;
        MemoryTiming {
            latency: ((self.latency_ns * gigahertz).ceil() as u32).max(1),
            bytes_per_cycle: ((self.gigabytes_per_second * self.efficiency / gigahertz) as u32).max(1),
            ..MemoryTiming::FAST
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_their_names_and_possible_figures() {
        for (name, _) in DEVICES {
            let device = Device::named(name).unwrap();
            assert_eq!(device.name, name);
            assert!(device.pj_per_bit > 0.0 && !device.energy_source.is_empty());
            assert!(device.efficiency > 0.0 && device.efficiency <= 1.0 && !device.source.is_empty());
            device.timing(1000).check().unwrap();
            // Half the clock: twice the bytes a cycle, half the cycles, but for rounding.
            let (slow, fast) = (device.timing(500), device.timing(1000));
            assert!(slow.bytes_per_cycle.abs_diff(2 * fast.bytes_per_cycle) <= 1, "{name}");
            assert!(fast.latency.abs_diff(2 * slow.latency) <= 1, "{name}");
        }
        assert!(Device::named("ddr9").unwrap_err().contains("hbm2"));
    }
}
