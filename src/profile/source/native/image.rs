//! The files whose code was seen running, each read once for all processes of a tree: unwind rules by address, and the
//! numbers of frames that are named when the run is over. Knows nothing of processes.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use gimli::UnwindContext;
use rustc_hash::FxHashMap;

use super::calls::{self, Call};
use super::cfi::{Cfi, Rule};
use super::go::{Depth, GoTable};
use super::layout::{Layout, Source};
use crate::profile::stack::{FrameId, Stacks};

/// Files read; each keeps a descriptor, so that it can still be read when the program, or the file's name, is gone.
const IMAGES: usize = 256;
/// Addresses of code remembered over all files; any number may be asked for.
const PLACES: usize = 131_072;
/// Maps of code that was made at run time; each keeps a descriptor.
const MAPS: usize = 64;

/// Number of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ImageId(pub(super) u32);

/// Number of a map of code that was made at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MapId(usize);

/// What one process wrote down of the code it made, and which of that was seen.
#[derive(Debug)]
pub(super) struct CodeMap {
    pub(super) file: File,
    pub(super) places: FxHashMap<u64, FrameId>,
}

/// An address of code: its frame, to be named later, and how to leave it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// `None`: there are too many.
    pub(super) frame: Option<FrameId>,
    rule: Option<u32>,
}

/// Which very file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: i64,
}

/// One file with code.
#[derive(Debug)]
pub(super) struct Image {
    /// As the process sees it.
    pub(super) path: String,
    /// It runs programs in another language, whose code it makes at run time: nothing in it is the program's own.
    pub(super) is_runtime: bool,
    pub(super) source: Source,
    pub(super) layout: Layout,
    identity: Option<Identity>,
    cfi: Cfi,
    pub(super) go: Option<GoTable>,
    pub(super) places: FxHashMap<u64, Place>,
    rules: Vec<Rule>,
    /// What stands before an address that may be behind a call.
    calls: FxHashMap<u64, Option<Call>>,
    /// Where stubs of the linker keep the address they go to, by where they begin.
    stubs: FxHashMap<u64, Option<u64>>,
    /// How deep functions with a frame pointer keep their stack, by where they begin.
    depths: FxHashMap<u64, Option<u64>>,
}

/// All files with code.
#[derive(Debug, Default)]
pub struct Images {
    pub(super) files: Vec<Image>,
    known: FxHashMap<Identity, ImageId>,
    kernels: Option<ImageId>,
    context: Box<UnwindContext<usize>>,
    places: usize,
    generated: Option<FrameId>,
    pub(super) maps: Vec<CodeMap>,
}

impl Identity {
    pub(super) fn of(file: &File) -> Option<Self> {
        let data = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some(Self { device: data.dev(), inode: data.ino(), size: data.len(), changed: data.mtime() })
    }

    pub(super) fn inode(&self) -> u64 {
        self.inode
    }
}

impl Images {
    /// The image of a file. `None`: there are too many, or it is none.
    pub(super) fn of_file(&mut self, file: File, path: &str) -> Option<ImageId> {
        let identity = Identity::of(&file)?;
        if let Some(known) = self.known.get(&identity) {
            return Some(*known);
        }
        let id = self.add(Source::File(file), path, Some(identity))?;
        self.known.insert(identity, id);
        Some(id)
    }

    /// The image of what the kernel maps into every process; `read` gets it.
    pub(super) fn of_kernel(
        &mut self,
        path: &str,
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<ImageId> {
        if self.kernels.is_none() {
            self.kernels = self.add(Source::Memory(read()?), path, None);
        }
        self.kernels
    }

    fn add(&mut self, source: Source, path: &str, identity: Option<Identity>) -> Option<ImageId> {
        let id = u32::try_from(self.files.len()).ok().filter(|_| self.files.len() < IMAGES)?;
        let layout = Layout::read(&source)?;
        let cfi = Cfi::read(&source, &layout).unwrap_or_default();
        let go = GoTable::read(&source, &layout);
        self.files.push(Image {
            path: path.to_owned(),
            is_runtime: false,
            source,
            layout,
            identity,
            cfi,
            go,
            places: FxHashMap::default(),
            rules: Vec::new(),
            calls: FxHashMap::default(),
            stubs: FxHashMap::default(),
            depths: FxHashMap::default(),
        });
        Some(ImageId(id))
    }

    pub(super) fn get(&self, id: ImageId) -> &Image {
        &self.files[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: ImageId) -> &mut Image {
        &mut self.files[id.0 as usize]
    }

    /// The frame and the rule of a link-time address.
    pub(super) fn place(&mut self, id: ImageId, address: u64, stacks: &mut Stacks) -> Place {
        let image = &mut self.files[id.0 as usize];
        if let Some(known) = image.places.get(&address) {
            return *known;
        }
        let Some(room) = (self.places < PLACES).then_some(self.places + 1) else {
            return Place { frame: None, rule: None };
        };
        self.places = room;
        let rule = image.cfi.rule(address, &mut self.context).or_else(|| image.go_rule(address));
        let rule = rule.and_then(|rule| {
            image.rules.push(rule);
            u32::try_from(image.rules.len() - 1).ok()
        });
        let place = Place { frame: stacks.unnamed_frame(), rule };
        image.places.insert(address, place);
        place
    }

    /// The map of another process. `None`: there are too many.
    pub(super) fn add_map(&mut self, file: File) -> Option<MapId> {
        let id = MapId(self.maps.len());
        (id.0 < MAPS).then(|| self.maps.push(CodeMap { file, places: FxHashMap::default() })).map(|()| id)
    }

    /// The frame of an address of code that was made at run time and may be in a map. `None`: there are too many.
    pub(super) fn made(&mut self, map: MapId, address: u64, stacks: &mut Stacks) -> Option<FrameId> {
        let map = &mut self.maps[map.0];
        if let Some(known) = map.places.get(&address) {
            return Some(*known);
        }
        self.places = (self.places < PLACES).then_some(self.places + 1)?;
        let frame = stacks.unnamed_frame()?;
        map.places.insert(address, frame);
        Some(frame)
    }

    /// The frame that stands for all code that was made at run time and is in no map.
    pub(super) fn generated(&mut self, stacks: &mut Stacks) -> Option<FrameId> {
        if self.generated.is_none() {
            self.generated = stacks.unnamed_frame();
        }
        self.generated
    }

    /// That frame, if it occurred.
    pub(super) fn generated_frame(&self) -> Option<FrameId> {
        self.generated
    }
}

impl Image {
    /// How to leave a place; `None`: the file does not tell.
    pub(super) fn rule(&self, place: Place) -> Option<(&Cfi, &Rule)> {
        Some((&self.cfi, self.rules.get(place.rule? as usize)?))
    }

    /// Go keeps no unwind tables of the usual kind.
    #[cfg(target_arch = "x86_64")]
    fn go_rule(&self, address: u64) -> Option<Rule> {
        match self.go.as_ref()?.depth(address)? {
            (start, Depth::Bytes(depth)) => Rule::of_depth(start, Some(depth)),
            (start, Depth::Top) => Rule::of_depth(start, None),
        }
    }

    /// Where the way back is kept in a register, its place on the stack is not known.
    #[cfg(not(target_arch = "x86_64"))]
    fn go_rule(&self, _: u64) -> Option<Rule> {
        None
    }

    /// The call that ends at a link-time address.
    pub(super) fn call_before(&mut self, address: u64) -> Option<Call> {
        if self.calls.len() >= PLACES {
            self.calls.clear();
        }
        let (layout, source) = (&self.layout, &self.source);
        *self.calls.entry(address).or_insert_with(|| {
            let start = layout.offset_of(address.checked_sub(calls::CALL as u64)?)?;
            calls::call_before(&source.bytes(start, calls::CALL)?)
        })
    }

    /// Where the stub of the linker at a link-time address keeps the address it goes to; `None`: it is none.
    pub(super) fn stub_slot(&mut self, address: u64) -> Option<u64> {
        if self.stubs.len() >= PLACES {
            self.stubs.clear();
        }
        let (layout, source) = (&self.layout, &self.source);
        *self.stubs.entry(address).or_insert_with(|| {
            let code = source.bytes(layout.offset_of(address)?, calls::STUB)?;
            Some(address.wrapping_add_signed(calls::stub_slot(&code)?))
        })
    }

    /// How far below its frame pointer the function that begins at a link-time address keeps its stack pointer.
    pub(super) fn frame_depth(&mut self, start: u64) -> Option<u64> {
        if self.depths.len() >= PLACES {
            self.depths.clear();
        }
        let (layout, source) = (&self.layout, &self.source);
        *self.depths.entry(start).or_insert_with(|| {
            let code = source.bytes(layout.offset_of(start)?, calls::PROLOGUE)?;
            calls::frame_depth(&code)
        })
    }

    /// Whether the file is still the one that ran.
    pub(super) fn is_unchanged(&self) -> bool {
        match &self.source {
            Source::File(file) => Identity::of(file) == self.identity,
            Source::Memory(_) => true,
        }
    }
}
