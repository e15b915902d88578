//! Two runs of a whole machine side by side: memory afterwards, and every event at the port and in the queues.

use std::collections::BTreeMap;

use bitmosaic_mappings::{Burst, Reader, WriteBeat};
use bitmosaic_results::{CosimResult, Mismatch};
use bitmosaic_sim::run::ArrayTrace;

use super::{ArrayCase, ArrayRun, localize_array, run_array_engine};
use crate::compare::LISTED;
use crate::localize::verilog_only;
use crate::{CosimError, Engine, ExternalSettings};

/// The first event that two runs do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDifference {
    /// Edge of the earlier of the two events.
    pub cycle: u64,
    /// Channel of the memory port, or queue.
    pub channel: &'static str,
    /// What the simulator did.
    pub expected: String,
    /// What the other engine did.
    pub found: String,
}

/// Names of the queues' retirements.
const RETIREMENTS: [&str; 3] = ["retirement of load", "retirement of compute", "retirement of store"];

/// Events of a trace by channel: edge, and what happened.
fn events(trace: &ArrayTrace) -> Vec<(&'static str, Vec<(u64, String)>)> {
    let burst = |burst: &Burst| format!("{} beats at {:#x}", burst.beats, burst.address);
    let read = |(edge, reader, at): &(u64, Reader, Burst)| (*edge, format!("{reader:?} reads {}", burst(at)));
    let beat = |(edge, beat): &(u64, WriteBeat)| {
        let data: String = beat.data.iter().rev().map(|word| format!("{word:016x}")).collect();
        let last = if beat.last { ", last" } else { "" };
        (*edge, format!("data {}, strobes {:#x}{last}", data.trim_start_matches('0'), beat.strobes))
    };
    let mut all = vec![
        ("read address", trace.reads.iter().map(read).collect()),
        ("write address", trace.writes.iter().map(|(edge, at)| (*edge, burst(at))).collect()),
        ("write data", trace.beats.iter().map(beat).collect()),
    ];
    let queues = RETIREMENTS.into_iter().zip(&trace.retirements);
    all.extend(queues.map(|(name, edges)| (name, edges.iter().map(|edge| (*edge, "a command".into())).collect())));
    all.push(("end", vec![(trace.cycles, format!("error {}", trace.error))]));
    all
}

/// The first event that differs, if any does.
pub fn first_difference(reference: &ArrayTrace, run: &ArrayTrace) -> Option<EventDifference> {
    let text = |event: Option<&(u64, String)>| match event {
        Some((edge, what)) => format!("{what} in cycle {edge}"),
        None => "nothing more".to_string(),
    };
    let channels = events(reference).into_iter().zip(events(run));
    let differences = channels.filter_map(|((channel, expected), (_, found))| {
        let longest = expected.len().max(found.len());
        let at = (0..longest).find(|i| expected.get(*i) != found.get(*i))?;
        let (expected, found) = (expected.get(at), found.get(at));
        let cycle = expected.into_iter().chain(found).map(|(edge, _)| *edge).min()?;
        Some(EventDifference { cycle, channel, expected: text(expected), found: text(found) })
    });
    differences.min_by_key(|difference| difference.cycle)
}

/// Events and counts that differ.
fn differing_events(reference: &ArrayTrace, run: &ArrayTrace) -> u64 {
    let status = reference.status_cycles.iter().zip(&run.status_cycles).filter(|(a, b)| a != b).count();
    let channels = events(reference).into_iter().zip(events(run));
    let differing = channels.map(|((_, expected), (_, found))| {
        (0..expected.len().max(found.len())).filter(|i| expected.get(*i) != found.get(*i)).count()
    });
    (differing.sum::<usize>() + status) as u64
}

/// Compares a run with the simulator's and adds the differences to the result.
pub fn compare_arrays(
    case: &ArrayCase,
    engine: Engine,
    reference: &ArrayRun,
    run: &ArrayRun,
    result: &mut CosimResult,
) {
    let bytes = reference.memory.iter().zip(&run.memory);
    result.mismatched_bits += bytes.map(|(a, b)| u64::from((a ^ b).count_ones())).sum::<u64>();
    result.mismatched_cycles += differing_events(&reference.trace, &run.trace);
    let beat_bytes = u64::from(case.data_bits() / 8);
    let (expected_at, found_at) = (write_cycles(&reference.trace, beat_bytes), write_cycles(&run.trace, beat_bytes));
    for region in &case.program.outputs {
        let places = (0..region.tokens).flat_map(|token| (0..region.output_channels).map(move |n| (token, n)));
        for (token, channel) in places {
            let at = region.address + token * region.pitch + 2 * channel;
            let beat = at as u64 / beat_bytes;
            let text = |memory: &[u8], cycle: Option<&u64>| match cycle {
                Some(cycle) => {
                    format!("{:#06x} in cycle {cycle}", u16::from_le_bytes([memory[at], memory[at + 1]]))
                }
                None => "no beat".to_string(),
            };
            let expected = text(&reference.memory, expected_at.get(&beat));
            let found = text(&run.memory, found_at.get(&beat));
            if expected != found && result.mismatches.len() < LISTED {
                result.mismatches.push(Mismatch {
                    engine: engine.name().to_string(),
                    output_channel: channel as u64,
                    token: token as u64,
                    cycle: found_at.get(&beat).copied(),
                    expected,
                    found,
                });
            }
        }
    }
}

/// Edge of the last write to every beat of memory, by its number.
fn write_cycles(trace: &ArrayTrace, beat_bytes: u64) -> BTreeMap<u64, u64> {
    let beats = trace.writes.iter().flat_map(|(_, burst)| {
        let first = burst.address / beat_bytes;
        first..first + u64::from(burst.beats)
    });
    beats.zip(&trace.beats).map(|(beat, (edge, _))| (beat, *edge)).collect()
}

/// Runs a case on every engine of `engines` and compares with the simulator, which always runs.
///
/// # Errors
/// As [`run_array_engine`]. Differences are no error: the result tells.
pub fn cosimulate_array(
    case: &ArrayCase,
    engines: &[Engine],
    settings: &ExternalSettings,
) -> Result<CosimResult, CosimError> {
    let reference = run_array_engine(case, Engine::Simulator, settings)?;
    let mut result = CosimResult { outputs: case.real_outputs() as u64, ..CosimResult::default() };
    Engine::Simulator.record(reference.trace.cycles, None, &mut result);
    for engine in engines.iter().filter(|e| **e != Engine::Simulator) {
        let run = run_array_engine(case, *engine, settings)?;
        engine.record(run.trace.cycles, None, &mut result);
        compare_arrays(case, *engine, &reference, &run, &mut result);
        if let Some(first) = first_difference(&reference.trace, &run.trace).filter(|_| result.localization.is_empty()) {
            let EventDifference { cycle, channel, expected, found } = first;
            let name = engine.name();
            let line =
                format!("first event that differs: cycle {cycle}, {channel}: simulator {expected}, {name} {found}");
            result.localization.push(line);
        }
    }
    if result.mismatched_bits + result.mismatched_cycles > 0 {
        let found = localize_array(case)?.map_or_else(verilog_only, |found| found.lines());
        result.localization.extend(found);
    }
    Ok(result)
}
