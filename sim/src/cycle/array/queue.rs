//! Registered queues between blocks: `sim/src/step/array/queue.rs` without heap.

use crate::ring::Ring;

/// A queue of at most `N` entries whose `ready` and `front` show the state before the edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue<T, const N: usize> {
    pub(super) items: Ring<T, N>,
    len: usize,
}

impl<T: Copy + Default, const N: usize> Queue<T, N> {
    pub(super) fn new() -> Queue<T, N> {
        Queue { items: Ring::new(), len: 0 }
    }

    /// There is room for one more.
    pub(super) fn ready(&self) -> bool {
        self.len < N
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The oldest entry; asked for before it is popped.
    pub(super) fn front(&self) -> Option<T> {
        if self.len == 0 { None } else { self.items.front().copied() }
    }

    pub(super) fn pop(&mut self) {
        self.items.pop();
    }

    pub(super) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub(super) fn edge(&mut self) {
        self.len = self.items.len();
    }
}
