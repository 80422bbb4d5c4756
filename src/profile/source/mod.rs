//! Where readings come from: thin edges to the kernel. Parsing is pure and tested from recorded text.

pub mod descriptors;
pub mod elf;
pub(crate) mod host;
pub mod interpreter;
mod memory;
pub mod native;
pub mod network;
pub(crate) mod perf;
pub mod procfs;
pub mod python;
pub mod replay;
pub mod sock_diag;
