//! The first line: which program, how long, how it ended, on what.

use super::page::{Role, Text};
use crate::machine::Machine;
use crate::profile::{Exit, Language, Profile, Runtime};
use crate::report::Report;
use crate::units;

pub(super) fn items(report: &Report<'_>) -> Vec<Text> {
    let Report { profile, machine, .. } = *report;
    vec![
        Text::new(Role::Strong, &command_line(&profile.command)),
        Text::plain(&wall(profile)),
        Text::plain(&ending(profile.exit)),
        Text::plain(&runtime(&profile.runtime)),
        Text::plain(&cpus(machine)),
    ]
}

/// The command as it would be typed into a shell.
fn command_line(command: &[String]) -> String {
    if command.is_empty() {
        return "(command line not readable)".to_owned();
    }
    command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "-_./=:,+@%^~".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn wall(profile: &Profile) -> String {
    let wall = units::seconds(profile.wall.as_secs_f64());
    if profile.launched { wall } else { format!("observed for {wall}") }
}

fn ending(exit: Option<Exit>) -> String {
    match exit {
        Some(Exit::Code(code)) => format!("exit {code}"),
        Some(Exit::Signal(signal)) => format!("killed by {}", signal_name(signal)),
        Some(Exit::Untold) => "ended".to_owned(),
        None => "still running".to_owned(),
    }
}

/// The signals that have one number on every Linux and that programs really end by.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

fn runtime(runtime: &Runtime) -> String {
    let mut name = match (&runtime.implementation, runtime.language) {
        (Some(implementation), _) => implementation.clone(),
        (None, Language::Unknown) => "unknown runtime".to_owned(),
        (None, Language::Native) => "native code".to_owned(),
        (None, Language::Python) => "Python".to_owned(),
        (None, Language::Node) => "Node.js".to_owned(),
        (None, Language::Java) => "Java".to_owned(),
        (None, Language::Go) => "Go".to_owned(),
        (None, Language::Rust) => "Rust".to_owned(),
        (None, Language::Shell) => "shell".to_owned(),
        (None, Language::Ruby) => "Ruby".to_owned(),
    };
    if let Some(version) = &runtime.version {
        name.push(' ');
        name.push_str(version);
    }
    match (runtime.gil, runtime.language) {
        (Some(true), _) => name.push_str(" (GIL)"),
        (Some(false), Language::Python | Language::Ruby) => name.push_str(" (no GIL)"),
        (None, Language::Python | Language::Ruby) => name.push_str(" (GIL unknown)"),
        _ => {}
    }
    name
}

/// `2 CPUs`, or what is really to be had of them: `0.5 of 2 CPUs (quota)`.
fn cpus(machine: &Machine) -> String {
    let logical = machine.cpus_logical;
    let all = if logical == 1 { "1 CPU".to_owned() } else { format!("{logical} CPUs") };
    let tenths = (machine.effective * 10.0).round() / 10.0;
    if tenths <= 0.0 || tenths >= f64::from(logical) {
        return all;
    }
    // The limit that is met exactly is the one that explains the number.
    let why = if machine.quota.is_some_and(|quota| quota <= machine.effective) {
        " (quota)"
    } else if machine.cpus_affinity.is_some_and(|affinity| f64::from(affinity) <= machine.effective) {
        " (affinity)"
    } else if machine.capacity.is_some() {
        " (measured)"
    } else {
        ""
    };
    format!("{tenths} of {all}{why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_back() {
        let command = ["sh", "-c", "echo 'a' > b", "", "x=1"].map(str::to_owned);
        assert_eq!(command_line(&command), r"sh -c 'echo '\''a'\'' > b' '' x=1");
    }

    #[test]
    fn cpus_name_the_limit_that_bites() {
        let machine = Machine { cpus_logical: 2, effective: 2.0, ..Machine::default() };
        assert_eq!(cpus(&machine), "2 CPUs");
        assert_eq!(
            cpus(&Machine { effective: 0.5, quota: Some(0.5), ..machine.clone() }),
            "0.5 of 2 CPUs (quota)"
        );
        assert_eq!(
            cpus(&Machine { effective: 1.0, cpus_affinity: Some(1), ..machine.clone() }),
            "1 of 2 CPUs (affinity)"
        );
        assert_eq!(
            cpus(&Machine { effective: 1.84, capacity: Some(1.84), ..machine.clone() }),
            "1.8 of 2 CPUs (measured)"
        );
        assert_eq!(cpus(&Machine { cpus_logical: 1, effective: 1.0, ..machine }), "1 CPU");
    }
}
