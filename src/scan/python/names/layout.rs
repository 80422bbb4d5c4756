//! What a program is made of, numbered through all files: what is the same for whoever asks. Knows no value.

use std::ops::Range;

use rustc_hash::FxHashSet;

use super::{ClassId, FunctionId};
use crate::catalog::Catalog;
use crate::scan::python::facts::{Class, FileFacts, Function, Traits};
use crate::scan::python::modules::Modules;

/// The files of a program, where its functions and classes are, and which file a module is.
pub(in crate::scan::python) struct Layout<'p> {
    pub(in crate::scan::python) files: &'p [FileFacts],
    pub(in crate::scan::python) catalog: &'p Catalog,
    pub(super) modules: Modules,
    /// The number of the first function and class of each file, and one past the last.
    first_function: Vec<u32>,
    first_class: Vec<u32>,
    /// The names of methods that some class leaves to those below it.
    pub(super) bodiless: FxHashSet<&'p str>,
}

/// Files are shared among so many at most, of which each has so many calls to look at. Each share finds out for itself
/// what it needs of the others' files, so more of them would do more work in all. The number of threads must not count
/// here: an answer may depend on what has been asked before.
const SHARES: usize = 4;
const CALLS: usize = 5_000;

impl<'p> Layout<'p> {
    pub(in crate::scan::python) fn of(files: &'p [FileFacts], catalog: &'p Catalog) -> Self {
        let count = |counts: &mut dyn Iterator<Item = usize>| {
            let mut first = vec![0];
            for count in counts {
                first.push(first[first.len() - 1] + count as u32);
            }
            first
        };
        let bodiless = |file: &'p FileFacts| {
            let of_file = file.functions.iter().filter(|function| function.traits.has(Traits::ABSTRACT));
            of_file.filter(|function| function.class.is_some()).map(|function| file.text(function.short))
        };
        Self {
            files,
            catalog,
            modules: Modules::of(files.iter().map(|file| file.path.as_str())),
            first_function: count(&mut files.iter().map(|file| file.functions.len())),
            first_class: count(&mut files.iter().map(|file| file.classes.len())),
            bodiless: files.iter().flat_map(bodiless).collect(),
        }
    }

    /// The files in stretches with about as many calls each: what one of them shows is found out independently of the
    /// others.
    pub(in crate::scan::python) fn shares(&self) -> Vec<Range<u32>> {
        let all: usize = self.files.iter().map(|file| file.calls.len()).sum();
        let shares = (all / CALLS).clamp(1, SHARES);
        let mut ranges = Vec::with_capacity(shares);
        let (mut start, mut calls) = (0, 0);
        for (file, facts) in self.files.iter().enumerate() {
            calls += facts.calls.len();
            if calls * shares >= all * (ranges.len() + 1) && ranges.len() + 1 < shares {
                ranges.push(start..file as u32 + 1);
                start = file as u32 + 1;
            }
        }
        ranges.push(start..self.files.len() as u32);
        ranges
    }

    pub(in crate::scan::python) fn function_id(&self, file: u32, index: u32) -> FunctionId {
        FunctionId(self.first_function[file as usize] + index)
    }

    pub(super) fn class_id(&self, file: u32, index: u32) -> ClassId {
        ClassId(self.first_class[file as usize] + index)
    }

    /// The file of a function, and the function.
    pub(in crate::scan::python) fn function(&self, id: FunctionId) -> (u32, &'p Function) {
        let file = self.first_function.partition_point(|first| *first <= id.0) - 1;
        (file as u32, &self.files[file].functions[(id.0 - self.first_function[file]) as usize])
    }

    /// The file of a class, and the class.
    pub(super) fn class(&self, id: ClassId) -> (u32, &'p Class) {
        let file = self.first_class.partition_point(|first| *first <= id.0) - 1;
        (file as u32, &self.files[file].classes[(id.0 - self.first_class[file]) as usize])
    }

    /// How many classes there are.
    pub(super) fn classes(&self) -> usize {
        self.first_class.last().copied().unwrap_or_default() as usize
    }
}
