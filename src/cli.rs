//! What can be typed. Only clap types.

/// Which measuring sources work here, what each missing one costs, and what to type to enable it.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DoctorArgs {
    /// Also tell whether this running process could be profiled with `profile --pid`
    #[arg(long, value_name = "PID")]
    pub pid: Option<i32>,
}
