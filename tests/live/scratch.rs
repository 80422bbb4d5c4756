//! A directory of its own for each program: a copy of the workload, writable by whoever runs it.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::surroundings::{Person, failed};
use crate::truth::Build;

/// A temporary directory that everybody may enter.
pub(crate) fn open_directory(prefix: &str) -> Result<TempDir, String> {
    let directory = tempfile::Builder::new().prefix(prefix).tempdir().map_err(|error| error.to_string())?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755))
        .map_err(|error| failed(directory.path(), &error))?;
    Ok(directory)
}

/// Copies a directory of plain files and gives the copy to a person.
pub(crate) fn copy_directory(from: &Path, to: &Path, person: Person) -> Result<(), String> {
    fs::create_dir(to).map_err(|error| failed(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| failed(from, &error))? {
        let source = entry.map_err(|error| failed(from, &error))?.path();
        if source.is_file() {
            let copy = to.join(source.file_name().unwrap_or_default());
            fs::copy(&source, &copy).map_err(|error| failed(&source, &error))?;
            person.adopt(&copy)?;
        }
    }
    person.adopt(to)
}

/// Compiles a program of one file.
pub(crate) fn compile(build: &Build, directory: &Path) -> Result<PathBuf, String> {
    let exe = directory.join("program");
    let (mut command, source) = if let Some(source) = &build.c {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-pthread"]);
        (cc, source)
    } else if let Some(source) = &build.rust {
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2021", "-O"]);
        (rustc, source)
    } else {
        return Err("build names no source".to_owned());
    };
    let compiled = command
        .current_dir(directory)
        .arg("-o")
        .arg(&exe)
        .arg(source)
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    if compiled.status.success() {
        Ok(exe)
    } else {
        Err(format!("{source} does not compile:\n{}", String::from_utf8_lossy(&compiled.stderr)))
    }
}

/// A share of waiting below which writing a file is CPU work here (memory file systems: none at all).
const LEAST_WAITING: f64 = 0.3;

/// Whether this directory lies on a device that makes a program wait and can be read past the page cache; otherwise
/// what is in the way.
pub(crate) fn waits_for_its_device(directory: &Path) -> Result<(), String> {
    let path = directory.join("probe");
    let probed = probe_device(&path);
    let _ = fs::remove_file(&path);
    match probed {
        Ok(waiting) if waiting >= LEAST_WAITING => Ok(()),
        Ok(_) => Err("the temporary directory's device makes nobody wait; set TMPDIR to a disk".to_owned()),
        Err(error) => Err(format!("the temporary directory is not on a disk ({error}); set TMPDIR to one")),
    }
}

/// The share of its time that a thread waits while it makes one megabyte after another durable.
fn probe_device(path: &Path) -> std::io::Result<f64> {
    const ALLOCATING: u32 = 4;
    const ROUNDS: u32 = 32;
    let block = vec![b'w'; 1 << 20];
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)?;
    let write = || file.write_all_at(&block, 0).and_then(|()| file.sync_data());
    (0..ALLOCATING).try_for_each(|_| write())?;
    let (start, cpu) = (Instant::now(), thread_cpu());
    (0..ROUNDS).try_for_each(|_| write())?;
    let (wall, cpu) = (start.elapsed(), thread_cpu().saturating_sub(cpu));
    Ok(1.0 - cpu.as_secs_f64() / wall.as_secs_f64())
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.cast_unsigned(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
