//! What is wanted of a program and what limits it: the same flags wherever advice is given.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::values;
use crate::facts::{Goals, WORK_KINDS};

/// Goals and limits of the work as a whole.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Goals and limits")]
pub struct GoalArgs {
    /// Time within which the whole work must be done
    #[arg(long, value_name = "TIME", value_parser = values::some_time, allow_hyphen_values = true)]
    pub deadline: Option<f64>,
    /// Requests that arrive per second: 200, 200/s, 30/min
    #[arg(long, value_name = "RATE", value_parser = values::rate, allow_hyphen_values = true)]
    pub rate: Option<f64>,
    /// Time within which 95 % of the requests should be answered
    #[arg(long, value_name = "TIME", value_parser = values::some_time, allow_hyphen_values = true, requires = "rate")]
    pub latency: Option<f64>,
    /// Operations to be in flight at once
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    pub concurrency: Option<u64>,
    /// Connections held open at once
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    pub connections: Option<u64>,
    /// Requests that the other side takes at once
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    pub downstream_limit: Option<u64>,
    /// Data the whole work reads
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    pub data_size: Option<f64>,
    /// Bytes sent to a worker process and back for each item
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    pub payload: Option<f64>,
    /// What it works on, for the choice of an engine for several computers
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(WORK_KINDS))]
    pub work: Option<String>,
    /// Computers that may be used
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    pub machines: Option<u64>,
}

impl GoalArgs {
    /// What was typed, checked against itself. `tasks` is how many items the real work has, where that is not the number
    /// of those that were measured.
    ///
    /// # Errors
    /// Which two of them cannot both be meant, and what to type.
    pub fn goals(&self, tasks: Option<u64>) -> Result<Goals, String> {
        if let (Some(limit), Some(wanted)) = (self.downstream_limit, self.concurrency)
            && wanted > limit
        {
            return Err(format!(
                "--concurrency {wanted} exceeds --downstream-limit {limit}: change one of them"
            ));
        }
        if let (Some(tasks), Some(rate)) = (tasks, self.rate) {
            return Err(format!(
                "--tasks {tasks} come to an end, requests at a --rate of {rate}/s do not: leave one of them out"
            ));
        }
        if let (Some(deadline), Some(rate)) = (self.deadline, self.rate) {
            return Err(format!(
                "a --deadline of {deadline} s is for work that ends, --rate {rate}/s has no end: type --latency instead"
            ));
        }
        Ok(Goals {
            tasks,
            deadline: self.deadline,
            rate: self.rate,
            latency: self.latency,
            concurrency: self.concurrency,
            connections: self.connections,
            downstream: self.downstream_limit,
            data_size: self.data_size,
            payload: self.payload,
            work: self.work.clone(),
            machines: self.machines,
        })
    }
}
