//! Queues without heap, cheap to copy and compare.

/// A queue of at most `N` entries, a power of two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ring<T, const N: usize> {
    items: [T; N],
    first: usize,
    len: usize,
}

impl<T: Copy + Default, const N: usize> Ring<T, N> {
    pub(crate) fn new() -> Ring<T, N> {
        const { assert!(N.is_power_of_two()) };
        Ring { items: [T::default(); N], first: 0, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn front(&self) -> Option<&T> {
        if self.len == 0 { None } else { Some(&self.items[self.first % N]) }
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        if self.len == 0 { None } else { Some(&mut self.items[self.first % N]) }
    }

    pub(crate) fn pop(&mut self) {
        debug_assert!(self.len > 0, "a queue has too little");
        self.first = (self.first + 1) % N;
        self.len -= 1;
    }

    pub(crate) fn push(&mut self, item: T) {
        debug_assert!(self.len < N, "a queue overflows");
        self.items[(self.first + self.len) % N] = item;
        self.len += 1;
    }

    /// The entries, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        (0..self.len).map(|i| &self.items[(self.first + i) % N])
    }

    /// Changes every entry.
    pub(crate) fn change(&mut self, change: impl Fn(&mut T)) {
        for i in 0..self.len {
            change(&mut self.items[(self.first + i) % N]);
        }
    }
}
