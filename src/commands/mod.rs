//! One file per subcommand: the only place that joins stages.

pub mod rules;
