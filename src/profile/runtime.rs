//! Which language runtime a running process is: told from what is mapped into it, not from its name, so that a virtual
//! environment's python, a renamed binary or an embedded interpreter are recognised.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::callers::PythonState;
use super::model::{Language, Runtime};
use super::source::elf::{ElfFacts, ElfFiles, Mark};
use super::source::interpreter::Interpreter;

/// Shells, by the name of their executable: they are ordinary native programs otherwise.
const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "busybox", "ash"];

/// Interpreters of languages we know nothing of, by how the name of their executable begins: what they compute is not
/// native code, and whether it can use threads is not known.
const INTERPRETERS: &[&str] =
    &["perl", "php", "lua", "tclsh", "wish", "guile", "erl", "beam", "octave", "gawk", "mawk", "julia"];

/// A file mapped into a process at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Address of the file's first byte.
    pub(super) start: u64,
    /// Path as the kernel prints it.
    pub(super) path: String,
}

/// Files mapped from their beginning, in order of address, each once.
#[must_use]
pub(super) fn parse_maps(text: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(range), Some(_), Some(offset)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let Some(slash) = line.find('/') else { continue };
        let path = line[slash..].trim_end_matches(" (deleted)");
        let is_first =
            u64::from_str_radix(offset, 16) == Ok(0) && mappings.iter().all(|known| known.path != path);
        let start = range.split('-').next().and_then(|start| u64::from_str_radix(start, 16).ok());
        if let (true, Some(start)) = (is_first, start) {
            mappings.push(Mapping { start, path: path.to_owned() });
        }
    }
    mappings
}

/// A process's runtime, and its interpreter lock where it has one.
#[derive(Debug, Default)]
pub(super) struct Detected {
    /// The runtime.
    pub(super) runtime: Runtime,
    /// The lock of a CPython; the process must be watched for as long as its address space lives.
    pub(super) interpreter: Option<Interpreter>,
    /// Where the state of a CPython lies.
    pub(super) python: Option<PythonState>,
}

/// Looks at a process. `memory` is its `/proc/PID/mem` where that may be read. `None`: its executable cannot be told,
/// because it is ending or not ours.
#[must_use]
pub(super) fn detect(pid: i32, files: &mut ElfFiles, memory: Option<&File>) -> Option<Detected> {
    let exe = PathBuf::from(format!("/proc/{pid}/exe"));
    let exe_name = std::fs::read_link(&exe).ok()?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))
        .map(|text| parse_maps(&text))
        .unwrap_or_default();
    let exe_text = exe_name.to_string_lossy();
    let exe_path = exe_text.trim_end_matches(" (deleted)");

    // The executable first; then, of the libraries, only those whose name says they carry an interpreter.
    let mut marks = Vec::new();
    for mapping in maps.iter().filter(|mapping| mapping.path == exe_path || carries_runtime(&mapping.path)) {
        let file = if mapping.path == exe_path { exe.clone() } else { inside_root(pid, &mapping.path) };
        let Some(facts) = files.facts(&file) else { continue };
        if let Some(found) = python(mapping, &facts, memory, exe_path) {
            return Some(found);
        }
        marks.extend(facts.marks);
    }
    if maps.is_empty() {
        marks.extend(files.facts(&exe).map(|facts| facts.marks).unwrap_or_default());
    }
    Some(Detected { runtime: by_marks(&marks, exe_path), ..Detected::default() })
}

fn carries_runtime(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["libpython", "libjvm", "libruby", "libnode"].iter().any(|prefix| name.starts_with(prefix))
}

/// A path as the process sees it: it may live in another mount namespace.
fn inside_root(pid: i32, path: &str) -> PathBuf {
    let there = PathBuf::from(format!("/proc/{pid}/root{path}"));
    if there.exists() { there } else { Path::new(path).to_owned() }
}

fn python(mapping: &Mapping, facts: &ElfFacts, memory: Option<&File>, exe: &str) -> Option<Detected> {
    let symbol = facts.py_runtime?;
    let bias = mapping.start.wrapping_sub(facts.base);
    let address = bias.wrapping_add(symbol.address);
    let interpreter = memory.map(|memory| Interpreter::find(memory, address, symbol.size));
    let number = facts.py_version.zip(memory).and_then(|(version, memory)| {
        let mut bytes = [0u8; 4];
        memory.read_exact_at(&mut bytes, bias.wrapping_add(version.address)).ok()?;
        Some(u32::from_ne_bytes(bytes))
    });
    let version = number
        .filter(|number| number >> 24 == 3)
        .map(|number| format!("{}.{}.{}", number >> 24, number >> 16 & 255, number >> 8 & 255))
        .or_else(|| version_in_name(&mapping.path))
        .or_else(|| version_in_name(exe));
    let named_free =
        mapping.path.contains("t.so") && mapping.path.contains("libpython3") || exe.ends_with('t');
    let free_threaded = interpreter.as_ref().map_or(named_free, |interpreter| interpreter.free_threaded);
    let runtime = Runtime {
        language: Language::Python,
        implementation: Some("CPython".to_owned()),
        version,
        gil: Some(!free_threaded),
    };
    let python = runtime.version.as_deref().and_then(minor).map(|version| PythonState { address, version });
    Some(Detected { runtime, interpreter: interpreter.filter(|_| !free_threaded), python })
}

/// `(3, 9)` of `3.9.18`.
fn minor(version: &str) -> Option<(u8, u8)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// `3.9` in `…/libpython3.9.so.1.0` or `…/bin/python3.9`.
fn version_in_name(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let rest = &name[name.find("python")? + 6..];
    let version: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let version = version.trim_end_matches('.');
    version.contains('.').then(|| version.to_owned())
}

fn by_marks(marks: &[Mark], exe: &str) -> Runtime {
    let name = exe.rsplit('/').next().unwrap_or(exe);
    let runtime = |language, implementation: Option<&str>, gil| Runtime {
        language,
        implementation: implementation.map(str::to_owned),
        version: None,
        gil: Some(gil),
    };
    // An interpreter may itself be written in Rust or Go, so those come last.
    match [Mark::Node, Mark::Java, Mark::Ruby, Mark::Go, Mark::Rust]
        .into_iter()
        .find(|mark| marks.contains(mark))
    {
        Some(Mark::Node) => runtime(Language::Node, Some("Node.js"), false),
        Some(Mark::Java) => runtime(Language::Java, Some("JVM"), false),
        Some(Mark::Ruby) => runtime(Language::Ruby, Some("MRI"), true),
        Some(Mark::Go) => runtime(Language::Go, None, false),
        Some(Mark::Rust) => runtime(Language::Rust, None, false),
        None if INTERPRETERS.iter().any(|prefix| name.starts_with(prefix)) => {
            Runtime { implementation: Some(name.to_owned()), ..Runtime::default() }
        }
        None if SHELLS.contains(&name) => runtime(Language::Shell, Some(name), false),
        None => runtime(Language::Native, None, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_give_each_file_once_with_its_start() {
        let text = "55d0-55d1 r--p 00000000 fe:00 11 /usr/bin/x y\n55d1-55d2 r-xp 00001000 fe:00 11 /usr/bin/x y\n\
                    7f00-7f01 rw-p 00000000 00:00 0 \n7f02-7f03 r--p 00000000 fe:00 12 /lib/libpython3.9.so.1.0\nbroken\n";
        let found: Vec<_> =
            parse_maps(text).into_iter().map(|mapping| (mapping.start, mapping.path)).collect();
        assert_eq!(
            found,
            [(0x55d0, "/usr/bin/x y".to_owned()), (0x7f02, "/lib/libpython3.9.so.1.0".to_owned())]
        );
    }

    #[test]
    fn versions_are_read_from_names_only_where_they_stand() {
        assert_eq!(version_in_name("/lib/libpython3.9.so.1.0").as_deref(), Some("3.9"));
        assert_eq!(version_in_name("/usr/bin/python3.12").as_deref(), Some("3.12"));
        assert_eq!(version_in_name("/usr/bin/python3"), None);
    }

    #[test]
    fn our_own_process_is_rust_and_a_shell_is_a_shell() {
        let own = detect(std::process::id() as i32, &mut ElfFiles::default(), None).unwrap();
        assert_eq!((own.runtime.language, own.runtime.gil), (Language::Rust, Some(false)));
        assert_eq!(by_marks(&[], "/usr/bin/dash").language, Language::Shell);
        assert_eq!(by_marks(&[], "/usr/bin/xz").language, Language::Native);
        assert_eq!(
            (by_marks(&[], "/usr/bin/perl").language, by_marks(&[], "/usr/bin/perl").gil),
            (Language::Unknown, None)
        );
        assert_eq!(by_marks(&[Mark::Rust, Mark::Node], "/opt/n").language, Language::Node);
    }
}
