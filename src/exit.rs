//! The exit codes, named once. The README lists them; nothing else in the crate may invent a number.

/// Everything went well; a broken pipe on our own output counts as well.
pub const SUCCESS: u8 = 0;
/// `scan` and `report`: findings at or above `--fail-on`; `compare`: what its `--fail-on` names; `sweep`: no number works; `rules check`: a rule that is wrong;
/// `doctor`: level P itself is impossible here.
pub const FINDINGS: u8 = 1;
/// Usage error, or a run of any command but `profile -- CMD` that could not be carried out.
pub const USAGE: u8 = 2;
/// `profile -- CMD`: boundby itself failed (the convention of `env` and `timeout`).
pub const OWN_FAILURE: u8 = 125;
/// `profile -- CMD`: the command was found but could not be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// `profile -- CMD`: the command was not found.
pub const NOT_FOUND: u8 = 127;
/// Added to the number of the signal that ended the profiled command.
pub const SIGNAL_BASE: u8 = 128;
