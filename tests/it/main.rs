//! Tests of the crate as a whole, in one binary: it links once, which matters on small machines.

mod architecture;
