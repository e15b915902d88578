//! Registered queues between blocks.

use std::collections::VecDeque;

/// A queue whose `ready` and `front` show the state before the edge, whatever was pushed and popped since: the blocks of a
/// cycle may be looked at in any order. [`Queue::edge`] ends the cycle.
#[derive(Debug, Clone)]
pub(crate) struct Queue<T> {
    items: VecDeque<T>,
    depth: usize,
    len: usize,
}

impl<T> Queue<T> {
    pub(crate) fn new(depth: usize) -> Queue<T> {
        Queue { items: VecDeque::with_capacity(depth), depth, len: 0 }
    }

    /// There is room for one more.
    pub(crate) fn ready(&self) -> bool {
        self.len < self.depth
    }

    /// Entries before the edge.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Something was pushed in this cycle, and nothing popped yet.
    pub(super) fn has_new(&self) -> bool {
        self.items.len() > self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The oldest entry; asked for before it is popped.
    pub(crate) fn front(&self) -> Option<&T> {
        if self.is_empty() { None } else { self.items.front() }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    pub(crate) fn push(&mut self, item: T) {
        debug_assert!(self.ready(), "a queue overflows");
        self.items.push_back(item);
    }

    pub(crate) fn edge(&mut self) {
        self.len = self.items.len();
    }
}
