use bitmosaic_arch::Machine;
use bitmosaic_mappings::{Matmul, TileWalk, UnitStimulus};

use super::drain::{Drain, GateWalk};

/// Timing of a tile program; cycle 0 is the edge that accepts the first command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TileTiming {
    /// Edge that accepts each output beat.
    pub outputs: Vec<u64>,
    /// Edge at which each command retires.
    pub retirements: Vec<u64>,
    /// Cycles with a step, and stalled by operands, scale units, outputs (`ports::TILE_STATUS`).
    pub status_cycles: [u64; 4],
}

impl TileTiming {
    /// Total cycles, the last output's edge included.
    pub fn cycles(&self) -> u64 {
        self.outputs.last().map_or(0, |cycle| cycle + 1)
    }
}

/// A gated operand stream: when its next beat is offered.
struct Stream {
    gate: GateWalk,
    from: u64,
}

impl Stream {
    fn offered(&mut self) -> u64 {
        self.gate.next_open(self.from)
    }

    fn take(&mut self, cycle: u64) {
        self.from = cycle + 1;
    }
}

/// Cycles in which the PE pipeline waits for a group end: from `start`, before `end`.
#[derive(Debug, Clone, Copy, Default)]
struct Wait {
    start: u64,
    end: u64,
}

struct Engine {
    pipeline: u64,
    weight: Stream,
    activation: Stream,
    scale: Stream,
    exponent: Option<Stream>,
    channel: Stream,
    open: bool,
    drain: Drain,
    /// The latest waits, oldest first; as many group ends as the PE pipeline holds can be ahead of a step.
    waits: Vec<Wait>,
    status: [u64; 4],
}

/// Timing of the products `commands`, followed by `end`, with the gates of `stimulus`. Streams' beats are not looked at.
pub fn tile_timing(machine: &Machine, commands: &[Matmul], stimulus: &UnitStimulus) -> TileTiming {
    let stream = |port: usize| Stream { gate: GateWalk::new(stimulus.inputs[port].2), from: 0 };
    let mut engine = Engine {
        pipeline: u64::from(machine.pe.pipeline_registers),
        weight: stream(1),
        activation: stream(2),
        scale: stream(3),
        channel: stream(4),
        exponent: machine.tile.exponent_beat_bits.map(|_| stream(5)),
        open: stimulus.inputs[1].2.threshold == 0 && stimulus.inputs[2].2.threshold == 0,
        drain: Drain::new(&machine.scale_unit, stimulus.output_gate),
        waits: Vec::new(),
        status: [0; 4],
    };
    let mut accepted = 0;
    for command in commands {
        accepted = engine.product(TileWalk::new(machine, command), accepted) + 1;
    }
    let mut retirements = engine.drain.retirements;
    retirements.push(accepted);
    TileTiming { outputs: engine.drain.outputs, retirements, status_cycles: engine.status }
}

/// The operand register between two chunks.
#[derive(Debug, Clone, Copy)]
struct Operand {
    /// First cycle in which the next chunk can load: the last step of the chunk before, if there is one.
    free: u64,
    /// First cycle in which the register is empty if nothing loads.
    empty: u64,
}

impl Operand {
    /// After a chunk whose last step is in `cycle`.
    fn after(cycle: u64) -> Operand {
        Operand { free: cycle, empty: cycle + 1 }
    }
}

impl Engine {
    /// Runs a product accepted at the edge of cycle `accepted`; gives the cycle of its last output.
    fn product(&mut self, walk: TileWalk, accepted: u64) -> u64 {
        let (passes, groups) = (walk.pass_count(), walk.groups());
        let mut operand = Operand { free: accepted + 1, empty: accepted + 1 };
        for pass in 0..passes {
            for (group, reads) in walk.group_reads().enumerate() {
                let pass_end = group + 1 == groups;
                let last = self.steps_of_group(operand, (reads.chunks * reads.times) as u64, reads.terms as u64);
                operand = Operand::after(self.end_group(last, pass_end, pass_end && pass + 1 == passes));
            }
        }
        let end = self.drain.finish();
        // After the last step outputs can be blocked, but where a group end waits the cycle is counted there.
        let in_waits: u64 = self.waits.iter().map(|w| self.drain.blocked_in(w.start.max(operand.empty), w.end)).sum();
        self.status[3] += self.drain.blocked_in(operand.empty, end) - in_waits;
        end
    }

    /// Issues the steps of a group; gives the cycle of the last (without PE pipeline registers: the first cycle in which
    /// the last step could be issued, if the group can end there).
    fn steps_of_group(&mut self, mut operand: Operand, chunks: u64, terms: u64) -> u64 {
        self.status[0] += chunks * terms;
        if self.open {
            return self.issue(operand.free + 1, chunks * terms);
        }
        for _ in 0..chunks {
            let load = operand.free.max(self.weight.offered()).max(self.activation.offered());
            self.weight.take(load);
            self.activation.take(load);
            self.status[1] += self.unfrozen_in(operand.empty, load);
            operand = Operand::after(self.issue(load + 1, terms));
        }
        operand.free
    }

    /// The group whose last step was issued in `last` reaches the accumulators and enters the hold chains; gives the cycle
    /// in which the last step left the operand register.
    fn end_group(&mut self, last: u64, pass_end: bool, last_pass: bool) -> u64 {
        let mut start = last;
        for stage in 0..self.pipeline {
            start = if stage == 0 { start } else { self.unfrozen(start) };
            start += 1;
        }
        let hold_free = self.drain.hold_free(start);
        let mut end = hold_free.max(self.scale.offered());
        if let Some(exponent) = &mut self.exponent {
            end = end.max(exponent.offered());
        }
        if pass_end {
            end = end.max(self.channel.offered());
            self.channel.take(end);
        }
        self.scale.take(end);
        if let Some(exponent) = &mut self.exponent {
            exponent.take(end);
        }
        let blocked = self.drain.blocked_in(start, hold_free);
        self.status[1] += end - hold_free;
        self.status[2] += hold_free - start - blocked;
        self.status[3] += blocked;
        self.drain.capture(end, pass_end, last_pass);
        if self.pipeline == 0 {
            return end;
        }
        self.waits.push(Wait { start, end });
        if self.waits.len() > self.pipeline as usize + 1 {
            self.waits.remove(0);
        }
        last
    }

    /// Issues `count` steps in the first cycles from `from` on in which the PE pipeline moves; gives the cycle of the last.
    fn issue(&mut self, from: u64, count: u64) -> u64 {
        let mut cycle = self.unfrozen(from);
        let mut left = count - 1;
        while left > 0 {
            // Up to the next wait nothing interrupts.
            let next_wait = self.waits.iter().map(|w| w.start).filter(|start| *start > cycle).min();
            let run = next_wait.map_or(left, |start| left.min(start - 1 - cycle));
            cycle += run;
            left -= run;
            if left > 0 {
                cycle = self.unfrozen(cycle + 1);
                left -= 1;
            }
        }
        cycle
    }

    /// First cycle from `cycle` on in which no group end waits.
    fn unfrozen(&self, cycle: u64) -> u64 {
        self.waits.iter().fold(cycle, |c, w| if (w.start..w.end).contains(&c) { w.end } else { c })
    }

    /// Cycles of `from..to` in which no group end waits.
    fn unfrozen_in(&self, from: u64, to: u64) -> u64 {
        let frozen: u64 = self.waits.iter().map(|w| w.end.min(to).saturating_sub(w.start.max(from))).sum();
        to.saturating_sub(from) - frozen
    }
}
