//! What became of the looks at call stacks: how many there were, what changed meanwhile, and what could not be read and why.
//! Knows neither threads nor frames.

use std::collections::BTreeMap;

use super::callers::OTHER_STACKS;
use super::model::Language;

/// How call stacks were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackReads {
    /// All in all.
    pub read: u64,
    /// Those that changed while they were read.
    pub torn: u64,
    /// Whether there were native ones among them.
    pub native: bool,
    /// Whether threads were looked at while they ran.
    pub cpu_clock: bool,
    /// Sources that could not be used, and why.
    pub refused: Vec<(String, String)>,
    /// Processes whose runtime makes code and does not tell where.
    pub untold: BTreeMap<i32, Language>,
}

impl StackReads {
    /// A source could not be used; each is named once.
    pub fn refuse(&mut self, source: &str, reason: String) {
        if self.refused.iter().all(|(known, _)| known != source) {
            self.refused.push((source.to_owned(), reason));
        }
    }

    /// The run is over: whoever did not tell where its code is will not any more.
    pub(super) fn close(&mut self) {
        for language in std::mem::take(&mut self.untold).into_values() {
            let how = match language {
                Language::Node => {
                    "Node.js tells where its functions are only if asked: set \
                     NODE_OPTIONS='--perf-basic-prof --interpreted-frames-native-stack'"
                }
                _ => {
                    "the JVM tells where its methods are only if asked: start it with -XX:+PreserveFramePointer, \
                     then type jcmd PID Compiler.perfmap"
                }
            };
            self.refuse(OTHER_STACKS, how.to_owned());
        }
    }
}
