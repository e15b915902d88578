//! Plain records that cross rooms and make up the JSON contract of the command line. No logic.
//!
//! Every document that `--json` prints is one of the structs named `*Document`; its schema comes from the type.

mod accuracy;
mod compare;
mod cosim;
mod documents;
mod energy;
mod mapping;
mod peers;
mod quantize;
mod reproduce;
mod resources;
mod simulate;
mod sweep;

pub use accuracy::{AccuracyResult, ErrorStatistics, Fidelity};
pub use compare::{Area, ComparePoint, CompareResult, ComparedDesign};
pub use cosim::{CosimResult, EngineCycles, Mismatch};
pub use documents::{
    CompareDocument, CosimDocument, ListDocument, ListEntry, MappingDocument, ParetoDocument, PeersDocument,
    ProgramDocument, Provenance, QuantizeDocument, ReproduceDocument, RtlDocument, RunDocument, SCHEMA_VERSION,
    SimulateDocument, SweepDocument,
};
pub use energy::{AccessPj, AreaUm2, CostTable};
pub use mapping::{MappingLimit, MappingPoint, MappingResult, MappingShape};
pub use peers::{PeerLayer, PeerPoint, PeersResult};
pub use quantize::QuantizedTensor;
pub use reproduce::{CycleEnginePoint, ReproduceResult, ReproducedPoint, ReproducedRatio, ReproducedTile};
pub use resources::{ModuleResources, RtlResult};
pub use simulate::{EnergyPj, FusionResult, InferenceResult, LayerResult, MemoryWaits, SimulateResult, Stalls};
pub use sweep::{IsoArea, IsoAreaDetails, ParetoFront, PhaseCycles, SweepAxis, SweepPoint, SweepResult};
