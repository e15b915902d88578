//! Drain of finished groups through the scale units and the output register, in events.

use bitmosaic_arch::ScaleUnit;
use bitmosaic_mappings::{Gate, Lfsr};

/// A gate walked forward in time.
#[derive(Debug, Clone)]
pub(super) struct GateWalk {
    gate: Gate,
    lfsr: Lfsr,
    cycle: u64,
}

impl GateWalk {
    pub(super) fn new(gate: Gate) -> GateWalk {
        GateWalk { gate, lfsr: Lfsr::new(gate.seed), cycle: 0 }
    }

    /// First cycle from `from` on in which the gate is open. Queries must not go back in time.
    pub(super) fn next_open(&mut self, from: u64) -> u64 {
        if self.gate.threshold == 0 {
            return from;
        }
        while self.cycle < from || !self.gate.is_open(self.lfsr) {
            self.lfsr.step();
            self.cycle += 1;
        }
        self.cycle
    }
}

/// State of the drain at the start of cycle `now`.
#[derive(Debug, Clone)]
pub(super) struct Drain {
    slots: u32,
    dequantize_cycles: u32,
    pes: u32,
    latency: u32,
    sink: GateWalk,
    now: u64,
    /// Slots of the group that have not left, and whether its results are outputs, and end the command.
    remaining: u32,
    pass_end: bool,
    last: bool,
    /// Bit i: the stage i + 1 holds an output; bit latency - 1 is the output register.
    moving_outputs: u64,
    /// Likewise for the last output of a command.
    moving_last: u64,
    /// Cycle of every accepted output beat.
    pub(super) outputs: Vec<u64>,
    /// Cycle of every retirement.
    pub(super) retirements: Vec<u64>,
    /// Cycles in which an output beat was not taken.
    pub(super) blocked: Vec<u64>,
}

impl Drain {
    pub(super) fn new(unit: &ScaleUnit, sink: Gate) -> Drain {
        Drain {
            slots: unit.slots,
            dequantize_cycles: unit.dequantize_cycles,
            pes: unit.pes,
            latency: unit.output_latency_cycles,
            sink: GateWalk::new(sink),
            now: 0,
            remaining: 0,
            pass_end: false,
            last: false,
            moving_outputs: 0,
            moving_last: 0,
            outputs: Vec::new(),
            retirements: Vec::new(),
            blocked: Vec::new(),
        }
    }

    /// First cycle from `from` on in which the hold chains can take a group.
    pub(super) fn hold_free(&mut self, from: u64) -> u64 {
        self.run_to(from);
        loop {
            if self.remaining == 0 || (self.remaining == 1 && self.moves()) {
                return self.now;
            }
            // Without outputs under way nothing can block before the last slot.
            if self.is_quiet() {
                self.run_to(self.now + u64::from(self.remaining) - 1);
            } else {
                self.cycle();
            }
        }
    }

    /// A group enters the hold chains at the edge of `cycle`.
    pub(super) fn capture(&mut self, cycle: u64, pass_end: bool, last: bool) {
        self.run_to(cycle + 1);
        self.remaining = self.slots;
        self.pass_end = pass_end;
        self.last = last;
    }

    /// Runs until the command's last output is taken; gives that cycle.
    pub(super) fn finish(&mut self) -> u64 {
        let retired = self.retirements.len();
        while self.retirements.len() == retired {
            self.cycle();
        }
        self.now - 1
    }

    /// No output is in the pipeline, none will leave with the group.
    fn is_quiet(&self) -> bool {
        self.moving_outputs == 0 && !(self.pass_end && self.remaining > 0)
    }

    fn run_to(&mut self, cycle: u64) {
        while self.now < cycle {
            if self.is_quiet() {
                let passed = cycle - self.now;
                self.remaining -= u64::from(self.remaining).min(passed) as u32;
                self.now = cycle;
            } else {
                self.cycle();
            }
        }
    }

    /// Whether the pipeline moves in cycle `now`.
    fn moves(&mut self) -> bool {
        let offered = self.moving_outputs >> (self.latency - 1) & 1 == 1;
        !offered || self.sink.next_open(self.now) == self.now
    }

    fn cycle(&mut self) {
        let top = 1 << (self.latency - 1);
        if self.moves() {
            if self.moving_outputs & top != 0 {
                self.outputs.push(self.now);
                if self.moving_last & top != 0 {
                    self.retirements.push(self.now);
                }
            }
            let index = (self.slots - self.remaining).checked_sub(self.dequantize_cycles);
            let output = self.remaining > 0 && self.pass_end && index.is_some_and(|i| i < self.pes);
            let last = output && self.last && index.is_some_and(|i| i + 1 == self.pes);
            self.moving_outputs = (self.moving_outputs & !top) << 1 | u64::from(output);
            self.moving_last = (self.moving_last & !top) << 1 | u64::from(last);
            self.remaining -= u32::from(self.remaining > 0);
        } else {
            self.blocked.push(self.now);
        }
        self.now += 1;
    }

    /// Blocked cycles in `from..to`, both in the simulated past.
    pub(super) fn blocked_in(&self, from: u64, to: u64) -> u64 {
        let before = |cycle: u64| self.blocked.partition_point(|b| *b < cycle);
        (before(to.max(from)) - before(from)) as u64
    }
}
