//! Call stacks: which frames and stacks there are, each kept once under a number. Pure: whoever reads a runtime's memory
//! hands in what was found. Knows nothing of time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Distinct stacks kept; of later ones only what is innermost, and nothing once there are twice as many.
const STACKS_KEPT: usize = 32_768;
/// Frames of a stack that is kept short.
const SHORT: usize = 8;
/// Distinct frames kept.
const FRAMES_KEPT: usize = 65_536;

/// One level of a call stack.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Frame {
    /// Function, qualified as far as its runtime tells; empty: not known.
    pub function: String,
    /// Source file, as the runtime or the debug information names it.
    pub file: Option<String>,
    /// Line in it, from 1.
    pub line: Option<u32>,
    /// Whether it is the program's own code and not that of a library or of the runtime.
    pub own: bool,
}

/// Number of a frame: a place in the code that stacks share. A native one may stand for several levels, where the
/// compiler put functions into one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(pub u32);

/// Number of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StackId(pub u32);

impl StackId {
    /// It was not seen.
    pub const UNSEEN: Self = Self(0);
}

/// All stacks of one recording.
#[derive(Debug, Clone)]
pub struct Stacks {
    /// Levels by number of frame, innermost first; empty: not known yet, or never found out.
    frames: Vec<Vec<Frame>>,
    known: HashMap<Frame, FrameId>,
    /// Those that were given out without a name.
    unnamed: Vec<FrameId>,
    /// Frames by number of stack, innermost first.
    paths: Vec<Box<[FrameId]>>,
    numbers: HashMap<Box<[FrameId]>, StackId>,
}

impl Default for Stacks {
    fn default() -> Self {
        Self {
            frames: Vec::new(),
            known: HashMap::new(),
            unnamed: Vec::new(),
            paths: vec![Box::default()],
            numbers: HashMap::from([(Box::default(), StackId::UNSEEN)]),
        }
    }
}

impl Stacks {
    /// The number of a frame. `None`: there are too many already.
    pub fn frame(&mut self, frame: Frame) -> Option<FrameId> {
        let number = u32::try_from(self.frames.len()).ok()?;
        match self.known.entry(frame) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(_) if self.frames.len() >= FRAMES_KEPT => None,
            Entry::Vacant(free) => {
                self.frames.push(vec![free.key().clone()]);
                Some(*free.insert(FrameId(number)))
            }
        }
    }

    /// The number of a frame of which only its address is known, to be named later. `None`: there are too many already.
    pub fn unnamed_frame(&mut self) -> Option<FrameId> {
        let number = u32::try_from(self.frames.len()).ok().filter(|_| self.frames.len() < FRAMES_KEPT)?;
        self.frames.push(Vec::new());
        self.unnamed.push(FrameId(number));
        Some(FrameId(number))
    }

    /// The next frame as somebody numbered it earlier; `false`: there are too many.
    pub fn renumber(&mut self, levels: Vec<Frame>) -> bool {
        match <[Frame; 1]>::try_from(levels) {
            Ok([frame]) => self.frame(frame).is_some(),
            Err(levels) => self.unnamed_frame().map(|frame| self.name(frame, levels)).is_some(),
        }
    }

    /// What a frame is turned out: the levels it stands for, innermost first.
    pub fn name(&mut self, frame: FrameId, levels: Vec<Frame>) {
        if let Some(known) = self.frames.get_mut(frame.0 as usize) {
            *known = levels;
        }
    }

    /// Frames that were given out without a name.
    #[must_use]
    pub fn unnamed(&self) -> &[FrameId] {
        &self.unnamed
    }

    /// The number of a stack, its frames innermost first.
    pub fn stack(&mut self, mut frames: &[FrameId]) -> StackId {
        if self.paths.len() >= STACKS_KEPT && !self.numbers.contains_key(frames) {
            frames = &frames[..frames.len().min(SHORT)];
        }
        if let Some(known) = self.numbers.get(frames) {
            return *known;
        }
        match u32::try_from(self.paths.len()) {
            Ok(number) if self.paths.len() < 2 * STACKS_KEPT => {
                self.paths.push(frames.into());
                self.numbers.insert(frames.into(), StackId(number));
                StackId(number)
            }
            _ => StackId::UNSEEN,
        }
    }

    /// The levels of a stack, innermost first; those of frames that were never named are left out.
    #[must_use]
    pub fn levels(&self, stack: StackId) -> impl DoubleEndedIterator<Item = &Frame> {
        self.frames_of(stack).iter().flat_map(|frame| self.levels_of(*frame))
    }

    /// The frames of a stack, innermost first.
    #[must_use]
    pub fn frames_of(&self, stack: StackId) -> &[FrameId] {
        self.paths.get(stack.0 as usize).map_or(&[], |frames| frames)
    }

    /// The levels a frame stands for, innermost first.
    #[must_use]
    pub fn levels_of(&self, frame: FrameId) -> &[Frame] {
        self.frames.get(frame.0 as usize).map_or(&[], |levels| levels)
    }

    /// Whether later ones are cut short, or not kept.
    #[must_use]
    pub fn are_full(&self) -> bool {
        self.paths.len() >= STACKS_KEPT || self.frames.len() >= FRAMES_KEPT
    }

    /// How many frames and stacks there are.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        (self.frames.len(), self.paths.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, line: u32) -> Frame {
        Frame { function: function.to_owned(), file: Some("etl.py".to_owned()), line: Some(line), own: true }
    }

    #[test]
    fn frames_and_stacks_are_kept_once() {
        let mut stacks = Stacks::default();
        let [a, b] = [frame("load", 88), frame("main", 100)].map(|frame| stacks.frame(frame).unwrap());
        assert_eq!(stacks.frame(frame("load", 88)), Some(a));
        let stack = stacks.stack(&[a, b]);
        assert_eq!((stacks.stack(&[a, b]), stacks.stack(&[])), (stack, StackId::UNSEEN));
        assert_eq!(stacks.levels(stack).map(|level| level.line).collect::<Vec<_>>(), [Some(88), Some(100)]);
    }

    #[test]
    fn a_frame_named_late_may_stand_for_several_levels() {
        let mut stacks = Stacks::default();
        let inlined = stacks.unnamed_frame().unwrap();
        let stack = stacks.stack(&[inlined]);
        assert_eq!(stacks.levels(stack).count(), 0);
        stacks.name(inlined, vec![frame("parse", 3), frame("load", 88)]);
        assert_eq!(
            stacks.levels(stack).map(|level| level.function.as_str()).collect::<Vec<_>>(),
            ["parse", "load"]
        );
    }

    #[test]
    fn any_number_of_stacks_takes_bounded_memory() {
        let mut stacks = Stacks::default();
        let frames: Vec<FrameId> = (0..100).map(|line| stacks.frame(frame("f", line)).unwrap()).collect();
        for i in 0..100_000 {
            let path: Vec<FrameId> = (0..20).map(|level| frames[(i >> level) % 100]).collect();
            stacks.stack(&path);
        }
        assert!(stacks.count().1 <= 2 * STACKS_KEPT);
    }
}
