//! One file per subcommand: the only place that joins stages.

pub mod doctor;
pub mod report;
pub mod terminal;
