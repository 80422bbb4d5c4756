//! The arguments of `boundby compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What changed between two versions of a program, and is it more than noise?
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  boundby compare before.json after.json
  boundby compare --before b1.json b2.json b3.json --after a1.json a2.json a3.json
  boundby compare before.json after.json --fail-on slower,bound-changed

Profiles are saved with: boundby profile -o FILE -- CMD. Three or more of each tell their own noise.
Exit status: 0 nothing that fails, 1 what --fail-on names, 2 the comparison could not be carried out.")]
pub struct CompareArgs {
    /// Two saved profiles: before, and after
    #[arg(value_names = ["BEFORE", "AFTER"], num_args = 2, required_unless_present = "before", conflicts_with_all = ["before", "after"])]
    pub profiles: Vec<PathBuf>,
    /// Saved profiles of the program as it was
    #[arg(long, value_name = "PROFILE", num_args = 1.., requires = "after")]
    pub before: Vec<PathBuf>,
    /// Saved profiles of the program as it is
    #[arg(long, value_name = "PROFILE", num_args = 1.., requires = "before")]
    pub after: Vec<PathBuf>,
    /// What makes the exit status 1
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_value = "slower")]
    pub fail_on: Vec<FailOn>,
    /// Format of the comparison
    #[arg(long, value_enum, default_value_t)]
    pub format: CompareFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Directory of your own rules, laid over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
}

/// What may fail a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// It takes longer, by more than noise
    Slower,
    /// Another thing binds than did
    BoundChanged,
    /// It is not as fast as was predicted
    Missed,
    /// Nothing
    Never,
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CompareFormat {
    /// For people
    #[default]
    Text,
    /// For programs: schema `boundby/compare/1`
    Json,
    /// For a comment or a summary
    Markdown,
}
