//! One file per subcommand: the only place that joins stages.

pub mod doctor;
pub mod profile;
pub mod report;
pub mod rules;
pub mod terminal;
