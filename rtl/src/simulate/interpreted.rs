//! In place of `native` without the feature `compiled`: there is no native code.

use std::collections::BTreeMap;

use super::edge::State;
use super::run::Program;

#[derive(Debug)]
pub(super) struct Native {
    never: std::convert::Infallible,
    pub(super) settled: Vec<bool>,
}

impl Native {
    pub(super) fn new(_: &Program, _: &BTreeMap<u32, u64>, _: Vec<u32>, _: &State, _: &mut Vec<u64>) -> Option<Native> {
        None
    }

    pub(super) fn settle(&self, _: &mut [u64]) {
        match self.never {}
    }

    pub(super) fn edge(&self, _: &mut [u64]) {
        match self.never {}
    }

    pub(super) fn load(&self, _: &mut [u64]) {
        match self.never {}
    }
}
