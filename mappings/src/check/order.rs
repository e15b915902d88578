//! Waits between the queues: an abstract run without time. Every wait is for tokens that only grow, and each queue works in
//! order, so that whether a program ends does not depend on how long anything takes.

use std::collections::VecDeque;

use bitmosaic_arch::{COMMAND_QUEUE, TOKEN_BITS};

use crate::{Command, MappingError, Tokens};

/// Most tokens that may have been given and not waited for, in program order: what the hardware's counters hold, less the waits
/// of the commands that a queue may still hold.
const MOST_TOKENS: i64 = (1 << TOKEN_BITS) - 1 - COMMAND_QUEUE as i64;

/// Edges between queues: load to compute, compute to load, compute to store, store to compute.
const EDGES: [&str; 4] = ["load to compute", "compute to load", "compute to store", "store to compute"];

/// Queue of a command, its order, and for each edge whether it waits for and whether it gives a token.
fn edges(command: &Command) -> Option<(usize, [bool; 4], [bool; 4])> {
    let (queue, order): (usize, &Tokens) = match command {
        Command::LoadWeights(l) => (0, &l.order),
        Command::LoadActivations(l) => (0, &l.order),
        Command::Matmul(m) => (1, &m.order),
        Command::Store(s) => (2, &s.order),
        Command::End => return None,
    };
    let (mut waits, mut gives) = ([false; 4], [false; 4]);
    match queue {
        0 => (waits[1], gives[0]) = (order.wait_down, order.give_down),
        1 => {
            (waits[0], waits[3]) = (order.wait_up, order.wait_down);
            (gives[1], gives[2]) = (order.give_up, order.give_down);
        }
        _ => (waits[2], gives[3]) = (order.wait_up, order.give_up),
    }
    Some((queue, waits, gives))
}

/// Runs the queues until nothing moves.
pub(super) fn check(commands: &[Command]) -> Result<(), MappingError> {
    let refuse = |command: usize, found: String, expected: &str| {
        Err(MappingError::Command { command, found, expected: expected.to_string() })
    };
    let mut balance = [0i64; 4];
    for (i, command) in commands.iter().enumerate() {
        let Some((_, waits, gives)) = edges(command) else { continue };
        for edge in 0..4 {
            balance[edge] += i64::from(gives[edge]) - i64::from(waits[edge]);
            if balance[edge] > MOST_TOKENS {
                let found = format!("{} tokens from {} that nobody waited for", balance[edge], EDGES[edge]);
                return refuse(i + 1, found, &format!("at most {MOST_TOKENS}"));
            }
        }
    }
    let (mut tokens, mut queues) = ([0u64; 4], [const { VecDeque::<usize>::new() }; 3]);
    let mut next = 0;
    loop {
        let mut moved = false;
        // Dispatch in order; the queue of the next command may be full.
        while let Some((queue, ..)) = commands.get(next).and_then(edges) {
            if queues[queue].len() == COMMAND_QUEUE as usize {
                break;
            }
            queues[queue].push_back(next);
            next += 1;
            moved = true;
        }
        for queue in &mut queues {
            let Some(command) = queue.front().copied() else { continue };
            let Some((_, waits, gives)) = edges(&commands[command]) else { continue };
            if (0..4).all(|edge| !waits[edge] || tokens[edge] > 0) {
                for edge in 0..4 {
                    tokens[edge] = tokens[edge] - u64::from(waits[edge]) + u64::from(gives[edge]);
                }
                queue.pop_front();
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    if let Some(command) = queues.iter().filter_map(VecDeque::front).min() {
        let waits = edges(&commands[*command]).map_or([false; 4], |(_, waits, _)| waits);
        let missing = (0..4).filter(|edge| waits[*edge] && tokens[*edge] == 0).map(|edge| EDGES[edge]);
        let found = format!("waits for ever for a token from {}", missing.collect::<Vec<_>>().join(" and "));
        return refuse(command + 1, found, "a command before it must give one, without waiting for it in turn");
    }
    match (0..4).find(|edge| tokens[*edge] > 0) {
        Some(edge) => {
            let found = format!("{} tokens left from {}", tokens[edge], EDGES[edge]);
            refuse(commands.len(), found, "every token given must be waited for: the next program would find it")
        }
        None => Ok(()),
    }
}
