//! `boundby calibrate`: measures what workers cost on this computer, and keeps it for the predictions to come.
//!
//! A calibration is laid between the rules of boundby and a user's own: who states a coefficient means it.

mod measure;
mod store;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::rules;
use crate::cli::CalibrateArgs;
use crate::exit;
use crate::machine::{Machine, probe_capacity, survey};
use crate::rules::RuleSet;
use crate::units;
pub(in crate::commands) use store::{Calibration, Missing};
use store::{Host, path};

/// Time for the spin probe: longer than beside a profile, as it stands for all profiles to come.
const PROBE: Duration = Duration::from_millis(600);
/// What is off by more than this factor was disturbed, or is of another world than the model.
const PLAUSIBLE: f64 = 30.0;

/// Measures, says, keeps.
///
/// # Errors
/// No home to keep it in, a file that cannot be written or removed, a Python that was named and does not run.
pub fn run(args: &CalibrateArgs, out: &mut dyn Write) -> Result<u8> {
    let file = path().ok_or_else(|| anyhow!("no place to keep it: set HOME or XDG_CONFIG_HOME"))?;
    if args.forget {
        match std::fs::remove_file(&file) {
            Ok(()) => writeln!(out, "removed {}", file.display())?,
            Err(error) if error.kind() == ErrorKind::NotFound => writeln!(out, "nothing to forget")?,
            Err(error) => return Err(error).with_context(|| format!("cannot remove {}", file.display())),
        }
        return Ok(exit::SUCCESS);
    }
    let rules = rules::load(None)?;
    let machine = survey(None);
    let mut model = measure::native();
    let python = match measure::python(args.python.as_deref().unwrap_or(Path::new("python3"))) {
        Ok((version, costs)) => {
            model.extend(costs);
            Some(version)
        }
        Err(why) if args.python.is_some() => return Err(anyhow!(why)),
        Err(why) => {
            writeln!(out, "workers of Python stay as they are: {why}")?;
            None
        }
    };
    // Names that the model has no more, and values that cannot be, are left to the rules.
    let disturbed: Vec<String> = model
        .iter()
        .filter(|(name, value)| !is_plausible(&rules, name, **value))
        .map(|(name, _)| name.clone())
        .collect();
    model.retain(|name, _| !disturbed.contains(name));
    let capacity = probe_capacity(machine.cpus(), PROBE);
    let calibration = Calibration::now(Host::this(machine.cpus()), python, capacity, model);
    table(&calibration, &rules, out)?;
    for name in disturbed {
        writeln!(out, "{name} was disturbed by something and stays as it is")?;
    }
    if args.dry_run {
        writeln!(out, "not kept")?;
    } else {
        calibration.write(&file).with_context(|| format!("cannot write {}", file.display()))?;
        writeln!(out, "kept in {}; boundby calibrate --forget removes it", file.display())?;
    }
    Ok(exit::SUCCESS)
}

fn is_plausible(rules: &RuleSet, name: &str, value: f64) -> bool {
    rules
        .model(name)
        .is_some_and(|usual| value.is_finite() && value > 0.0 && (value / usual).ln().abs() <= PLAUSIBLE.ln())
}

fn table(calibration: &Calibration, rules: &RuleSet, out: &mut dyn Write) -> Result<()> {
    let python = calibration.python.as_ref().map(|version| format!(", Python {version}")).unwrap_or_default();
    writeln!(
        out,
        "{}, {}{python}\n",
        calibration.host.cpu,
        units::count(calibration.host.cpus.into(), "CPU")
    )?;
    if let Some(capacity) = calibration.capacity {
        writeln!(out, "{:>10}  cores' worth of work, all CPUs together", units::significant(capacity))?;
    }
    writeln!(out, "{:>10}  {:>10}", "here", "usually")?;
    for (name, value) in &calibration.model {
        let Some(usual) = rules.coefficients().get(name) else { continue };
        let shown = if name.ends_with("_bandwidth") {
            [*value, usual.value].map(|value| format!("{}/s", units::bytes(value)))
        } else {
            [*value, usual.value].map(units::seconds)
        };
        writeln!(out, "{:>10}  {:>10}  {name}: {}", shown[0], shown[1], usual.why)?;
    }
    writeln!(out)?;
    Ok(())
}

/// What was measured on this computer.
pub(in crate::commands) fn here(machine: &Machine) -> Result<Calibration, Missing> {
    path().map_or(Err(Missing::Never), |path| Calibration::read(&path, &Host::this(machine.cpus())))
}

/// The rules for predictions about this computer: with what was measured on it, and a user's directory over that.
///
/// # Errors
/// Everything that is wrong in the user's rules, in one error.
pub(in crate::commands) fn load(overlay: Option<&Path>, machine: &Machine) -> Result<RuleSet> {
    match here(machine) {
        Ok(calibration) => rules::load_measured(&calibration.model, overlay),
        // What is there and of no use is doctor's to tell; the rules' own numbers hold.
        Err(_) => rules::load(overlay),
    }
}

/// This computer, with its capacity where that was measured.
pub(in crate::commands) fn surveyed() -> Machine {
    let mut machine = survey(None);
    if let Ok(calibration) = here(&machine) {
        machine.set_capacity(calibration.capacity);
    }
    machine
}

/// What `boundby doctor` says about it.
pub(in crate::commands) fn told(machine: &Machine) -> Result<String, String> {
    match here(machine) {
        Ok(calibration) => {
            let age = units::seconds(calibration.age().as_secs_f64());
            Ok(format!("{}, {age} old", units::count(calibration.model.len() as u64, "coefficient")))
        }
        Err(Missing::Never) => {
            Err("without it by numbers measured elsewhere; to get it: boundby calibrate".to_owned())
        }
        Err(Missing::Unusable(why)) => Err(format!("{why}; to mend it: boundby calibrate")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_coefficient_that_is_measured_is_one_of_the_model() {
        let rules = RuleSet::builtin().unwrap();
        for name in measure::native().keys() {
            assert!(rules.model(name).is_some(), "{name}");
        }
        assert!(is_plausible(&rules, "thread_start", 1e-4));
        assert!(!is_plausible(&rules, "thread_start", 1.0));
        assert!(!is_plausible(&rules, "no_such", 1e-4));
    }

    #[test]
    fn what_was_measured_lies_over_the_rules_and_under_the_users() {
        let measured =
            BTreeMap::from([("thread_start".to_owned(), 1e-4), ("parent_bandwidth".to_owned(), 1e9)]);
        let rules = rules::load_measured(&measured, None).unwrap();
        assert_eq!(rules.model("thread_start"), Some(1e-4));
        assert_eq!(rules.model("parent_bandwidth"), Some(1e9));
        let users = tempfile::tempdir().unwrap();
        std::fs::write(users.path().join("overlay.yaml"), "model: {thread_start: 80us}\n").unwrap();
        let rules = rules::load_measured(&measured, Some(users.path())).unwrap();
        assert_eq!(rules.model("thread_start"), Some(8e-5));
        assert_eq!(rules.model("parent_bandwidth"), Some(1e9));
    }
}
