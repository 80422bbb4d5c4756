//! The file with what was measured on this computer: where it is, what it holds, and when it is not believed.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Changes with the meaning of a field.
const SCHEMA: &str = "boundby/calibration/1";
/// Nobody has so many coefficients, bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What was measured, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::commands) struct Calibration {
    schema: String,
    /// The version that measured.
    boundby: String,
    /// Seconds since 1970.
    measured_s: u64,
    /// What it holds for.
    pub(super) host: Host,
    /// The Python whose workers were measured; `None`: only native ones were.
    pub(super) python: Option<String>,
    /// Cores' worth of work of all CPUs together, by a longer spin probe.
    pub(in crate::commands) capacity: Option<f64>,
    /// Coefficients of the model, by name, in base units.
    pub(in crate::commands) model: BTreeMap<String, f64>,
}

/// What makes another computer of this one: a home directory may be shared, and an image may be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Host {
    pub(super) cpu: String,
    pub(super) cpus: u32,
}

/// Why there is nothing to go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) enum Missing {
    /// Nobody has measured yet.
    Never,
    /// A file is there and cannot be believed.
    Unusable(String),
}

impl Host {
    /// This computer, with so many CPUs.
    pub(super) fn this(cpus: u32) -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        // Not every architecture names a model; then one of its other lines tells kinds of processors apart.
        let named = ["model name", "Processor", "CPU part", "cpu", "machine"].into_iter().find_map(|name| {
            text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))
        });
        let cpu = named.map_or("unknown", |(_, value)| value.trim());
        Self { cpu: cpu.chars().filter(|letter| !letter.is_control()).take(100).collect(), cpus }
    }
}

impl Calibration {
    /// What has just been measured here.
    pub(super) fn now(
        host: Host,
        python: Option<String>,
        capacity: Option<f64>,
        model: BTreeMap<String, f64>,
    ) -> Self {
        let measured_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let boundby = env!("CARGO_PKG_VERSION").to_owned();
        Self { schema: SCHEMA.to_owned(), boundby, measured_s, host, python, capacity, model }
    }

    /// How long ago it was measured.
    pub(in crate::commands) fn age(&self) -> Duration {
        let measured = UNIX_EPOCH + Duration::from_secs(self.measured_s.min(u64::from(u32::MAX)));
        SystemTime::now().duration_since(measured).unwrap_or_default()
    }

    /// Reads the file, for a computer like this.
    pub(super) fn read(path: &Path, here: &Host) -> Result<Self, Missing> {
        let unusable = |why: String| Missing::Unusable(format!("{}: {why}", path.display()));
        let size = fs::metadata(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Missing::Never,
            _ => unusable(error.to_string()),
        })?;
        if !size.is_file() || size.len() > MAX_FILE {
            return Err(unusable("not a file of boundby calibrate".to_owned()));
        }
        let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        Self::parse(&text, here).map_err(unusable)
    }

    fn parse(text: &str, here: &Host) -> Result<Self, String> {
        let found: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if found.schema != SCHEMA {
            return Err(format!("schema {} where {SCHEMA} is due", found.schema));
        }
        if found.host != *here {
            return Err(format!(
                "measured on another computer ({}, {} CPUs)",
                found.host.cpu, found.host.cpus
            ));
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if let Some((name, value)) = found.model.iter().find(|(_, value)| !positive(**value)) {
            return Err(format!("{name} is {value}"));
        }
        let most = f64::from(found.host.cpus.max(1));
        if let Some(capacity) = found.capacity.filter(|capacity| !(1.0..=most).contains(capacity)) {
            return Err(format!("{capacity} cores on {most} CPUs"));
        }
        Ok(found)
    }

    /// Writes the file as a whole or not at all.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)? + "\n";
        let beside = path.with_extension(format!("json.{}", std::process::id()));
        fs::write(&beside, text)?;
        fs::rename(&beside, path).inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })
    }
}

/// Where it is kept; `None`: there is no home.
pub(super) fn path() -> Option<PathBuf> {
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = directory("XDG_CONFIG_HOME").or_else(|| Some(directory("HOME")?.join(".config")))?;
    Some(config.join("boundby").join("calibration.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host { cpu: "a processor".to_owned(), cpus: 4 }
    }

    fn measured() -> Calibration {
        let model = BTreeMap::from([("thread_start".to_owned(), 4.2e-5)]);
        Calibration::now(host(), Some("3.12".to_owned()), Some(3.7), model)
    }

    #[test]
    fn what_was_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("new/calibration.json");
        assert_eq!(Calibration::read(&file, &host()), Err(Missing::Never));
        measured().write(&file).unwrap();
        let read = Calibration::read(&file, &host()).unwrap();
        assert_eq!(read, measured());
        assert!(read.age() < Duration::from_mins(1));
    }

    #[test]
    fn what_is_not_of_this_computer_or_cannot_be_is_not_believed() {
        let text = serde_json::to_string(&measured()).unwrap();
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{text}");
            Calibration::parse(&text.replace(from, to), &host()).unwrap_err()
        };
        assert!(refused("\"cpus\":4", "\"cpus\":8").contains("another computer"));
        assert!(refused("calibration/1", "calibration/2").contains("schema"));
        assert!(refused("0.000042", "-1").contains("thread_start is -1"));
        assert!(refused("3.7", "37").contains("37 cores on 4 CPUs"));
        refused("\"host\"", "\"hots\"");
        for garbage in ["", "{}", "[]", "null", "\u{0}", "{\"schema\": 1}"] {
            assert!(Calibration::parse(garbage, &host()).is_err(), "{garbage}");
        }
    }
}
