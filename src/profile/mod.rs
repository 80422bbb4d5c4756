//! Measure a command or a running process tree. Knows the kernel's sources; must not know a rule, a strategy or
//! a worker count.

pub mod launch;
pub mod ledger;
pub mod model;
pub mod process;
pub mod record;
pub mod runtime;
pub mod sampler;
pub mod segments;
pub mod sites;
pub mod source;
pub mod thread_clock;
pub mod tree;
pub mod wall;

pub use model::*;
