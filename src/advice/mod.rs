//! From facts and fired rules to a verdict, a recommendation with workers and a predicted gain, and what was
//! rejected. Pure: same facts and rules in, same advice out. Must not know how facts were measured or are printed.

pub mod model;
pub mod types;

mod predict;
mod work;

pub use types::*;
