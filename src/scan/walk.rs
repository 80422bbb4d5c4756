//! Which files a scan reads: below the paths that were named, without what version control ignores, what is hidden and
//! what a tool has generated. Knows names and first lines, not contents.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use globset::{Glob, GlobSet, GlobSetBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::catalog::Language;

/// What a file is to the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Source of a language.
    Source(Language),
    /// Settings that start workers: Dockerfile, compose, Kubernetes, Procfile, unit files, start scripts.
    Deploy,
}

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub file: PathBuf,
    /// Relative to the root, `/` between its parts.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

/// What a walk brought.
#[derive(Debug, Default)]
pub struct Walked {
    /// In order of path, each file once.
    pub files: Vec<Found>,
    /// What could not be listed or was named without being source: path and reason.
    pub refused: Vec<(String, String)>,
}

/// Directories that hold no source of the project, whatever they are ignored by.
const FOREIGN: [&str; 4] = ["node_modules", "site-packages", "__pypackages__", "__pycache__"];
/// So much of a file is read to learn what it is.
const BEGINNING: usize = 4096;
/// A file of this name says that its directory is a cache or an environment: build output, a virtual environment.
const MARKERS: [&str; 2] = ["CACHEDIR.TAG", "pyvenv.cfg"];

/// Globs of paths relative to the root. One without a `/` holds for a name anywhere; one that names a directory holds
/// for what is in it.
///
/// # Errors
/// The glob that is none, with what is wrong with it.
pub fn globs<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, (String, String)> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let trimmed = pattern.trim_start_matches("./").trim_end_matches('/');
        let anywhere = if trimmed.contains('/') { "" } else { "**/" };
        let trimmed = trimmed.trim_start_matches('/');
        for form in [format!("{anywhere}{trimmed}"), format!("{anywhere}{trimmed}/**")] {
            set.add(Glob::new(&form).map_err(|error| (pattern.to_owned(), error.kind().to_string()))?);
        }
    }
    set.build().map_err(|error| (String::new(), error.kind().to_string()))
}

/// Lists the files below `paths`, which lie below `root`. A file that is named itself is always taken.
///
/// # Errors
/// A path that is not there.
pub fn walk(root: &Path, paths: &[PathBuf], exclude: &GlobSet) -> Result<Walked, (PathBuf, io::Error)> {
    let mut walked = Walked::default();
    let mut directories = Vec::new();
    for path in paths {
        if fs::metadata(path).map_err(|error| (path.clone(), error))?.is_dir() {
            directories.push(path);
        } else {
            let relative = relative(root, path);
            match kind_of(path) {
                Some(kind) => walked.files.push(Found { file: path.clone(), path: relative, kind }),
                None => walked
                    .refused
                    .push((relative, "neither Python, Rust nor a file that starts workers".into())),
            }
        }
    }
    if let Some((first, others)) = directories.split_first() {
        let mut builder = WalkBuilder::new(first);
        for directory in others {
            builder.add(directory);
        }
        list(root, &mut builder, exclude, &mut walked);
    }
    walked.files.sort_by(|a, b| a.path.cmp(&b.path));
    walked.files.dedup_by(|a, b| a.path == b.path);
    walked.refused.sort();
    Ok(walked)
}

fn list(root: &Path, builder: &mut WalkBuilder, exclude: &GlobSet, walked: &mut Walked) {
    let (base, excluded) = (root.to_owned(), exclude.clone());
    builder
        // A source package carries its ignore file without a repository around it.
        .require_git(false)
        // What one user ignores everywhere must not change what a scan finds.
        .git_global(false)
        .filter_entry(move |entry| wanted(&base, &excluded, entry));
    let (sender, receiver) = mpsc::channel();
    builder.build_parallel().run(|| {
        let sender = sender.clone();
        Box::new(move |entry| {
            let found = match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    let Some(kind) = kind_of(entry.path()) else { return WalkState::Continue };
                    Ok(Found { path: relative(root, entry.path()), file: entry.into_path(), kind })
                }
                Ok(_) => return WalkState::Continue,
                Err(error) => Err(error.to_string()),
            };
            // The receiver outlives the walk; were it gone, nobody would want the rest.
            if sender.send(found).is_ok() { WalkState::Continue } else { WalkState::Quit }
        })
    });
    drop(sender);
    for found in receiver {
        match found {
            Ok(found) => walked.files.push(found),
            Err(what) => walked.refused.push((String::new(), what)),
        }
    }
}

fn wanted(root: &Path, exclude: &GlobSet, entry: &DirEntry) -> bool {
    // What was named on the command line is wanted, however it is called.
    if entry.depth() == 0 {
        return true;
    }
    if exclude.is_match(relative(root, entry.path())) {
        return false;
    }
    let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
    let foreign = || FOREIGN.iter().any(|name| entry.file_name() == *name);
    let marked = || MARKERS.iter().any(|marker| entry.path().join(marker).exists());
    !is_directory || !(foreign() || marked())
}

fn relative(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    relative.strip_prefix("./").unwrap_or(&relative).replace('\\', "/")
}

/// What a file is, by its name, else by its first line.
fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    kind_by_name(path).or_else(|| if may_tell(name) { by_content(path) } else { None })
}

/// What a file is, by its name alone.
#[must_use]
pub fn kind_by_name(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("py" | "pyw") => Some(Kind::Source(Language::Python)),
        Some("rs") => Some(Kind::Source(Language::Rust)),
        _ => starts_workers(name, extension).then_some(Kind::Deploy),
    }
}

/// Whether a path, relative to the root, lies in a directory that a walk does not enter.
#[must_use]
pub fn foreign(path: &str) -> bool {
    let mut directories = path.split('/').rev().skip(1);
    directories.any(|name| name.starts_with('.') || FOREIGN.contains(&name))
}

fn starts_workers(name: &str, extension: Option<&str>) -> bool {
    let lower = name.to_ascii_lowercase();
    let yaml = matches!(extension, Some("yml" | "yaml"));
    let compose = lower.starts_with("docker-compose") || lower.starts_with("compose");
    let container = ["dockerfile", "containerfile"];
    let is_container = container.iter().any(|kind| {
        lower.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_']))
            || lower.strip_suffix(kind).is_some_and(|rest| rest.ends_with('.'))
    });
    is_container
        || (yaml && compose)
        || lower == "procfile"
        || lower.starts_with("procfile.")
        || matches!(extension, Some("service" | "sh" | "bash"))
}

/// Whether a file whose name does not say what it is may say it itself: scripts have no extension, manifests one that
/// says nothing.
#[must_use]
pub fn may_tell(name: &str) -> bool {
    !name.contains('.') || is_yaml(name)
}

fn is_yaml(path: &str) -> bool {
    matches!(Path::new(path).extension().and_then(|extension| extension.to_str()), Some("yml" | "yaml"))
}

fn by_content(path: &Path) -> Option<Kind> {
    let mut first = [0; BEGINNING];
    let read = File::open(path).and_then(|mut file| file.read(&mut first)).ok()?;
    kind_by_content(path.file_name()?.to_str()?, &first[..read])
}

/// What a file is whose name does not say it, by its beginning.
#[must_use]
pub fn kind_by_content(path: &str, bytes: &[u8]) -> Option<Kind> {
    let bytes = &bytes[..bytes.len().min(BEGINNING)];
    let name = path.rsplit('/').next().unwrap_or(path);
    match may_tell(name) {
        true if is_yaml(name) => is_manifest(bytes).then_some(Kind::Deploy),
        true => kind_by_first_line(bytes),
        false => None,
    }
}

/// Whether this is a manifest of Kubernetes: every one says which version of the interface it is for.
fn is_manifest(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"apiVersion:"))
}

/// What a script without an extension is: its first line says what runs it.
fn kind_by_first_line(bytes: &[u8]) -> Option<Kind> {
    // An archive with a first line in front of it is a program, but no source.
    if bytes.iter().take(1024).any(|byte| *byte == 0) {
        return None;
    }
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let command = std::str::from_utf8(line).ok()?.strip_prefix("#!")?;
    let words = command.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    // `env` and its options and variables stand in front of the interpreter.
    let mut programs = words.skip_while(|word| *word == "env" || word.starts_with('-') || word.contains('='));
    let program = programs.next()?;
    let runs_script = program == "uv" && line.ends_with(b"--script");
    if program.starts_with("python") || program.starts_with("pypy") || runs_script {
        Some(Kind::Source(Language::Python))
    } else if matches!(program, "sh" | "bash" | "dash" | "zsh") {
        Some(Kind::Deploy)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn paths(root: &Path, named: &[&str], exclude: &[&str]) -> Vec<String> {
        let named: Vec<_> = named.iter().map(|name| root.join(name)).collect();
        let walked = walk(root, &named, &globs(exclude.iter().copied()).unwrap()).unwrap();
        walked.files.into_iter().map(|found| found.path).collect()
    }

    #[test]
    fn ignored_hidden_generated_and_excluded_files_stay_out() {
        let root = tree(&[
            (".gitignore", "/out/\n*_pb2.py\n"),
            ("a.py", ""),
            ("a_pb2.py", ""),
            ("out/b.py", ""),
            (".hidden/c.py", ""),
            ("env/pyvenv.cfg", ""),
            ("env/lib/d.py", ""),
            ("target/CACHEDIR.TAG", ""),
            ("target/e.rs", ""),
            ("node_modules/f.py", ""),
            ("src/lib.rs", ""),
            ("src/gen/g.rs", ""),
            ("notes.md", ""),
            ("x.ipynb", ""),
        ]);
        assert_eq!(paths(root.path(), &["."], &[]), ["a.py", "src/gen/g.rs", "src/lib.rs"]);
        assert_eq!(paths(root.path(), &["."], &["src/gen"]), ["a.py", "src/lib.rs"]);
        assert_eq!(paths(root.path(), &["."], &["gen", "*.py"]), ["src/lib.rs"]);
        assert_eq!(paths(root.path(), &["src", "a.py"], &[]), ["a.py", "src/gen/g.rs", "src/lib.rs"]);
    }

    #[test]
    fn a_file_that_is_named_is_read_and_read_once() {
        let root = tree(&[(".gitignore", "*\n"), ("a.py", ""), ("notes.md", "")]);
        assert_eq!(paths(root.path(), &["a.py", "a.py", "."], &["a.py"]), ["a.py"]);
        let walked = walk(root.path(), &[root.path().join("notes.md")], &GlobSet::empty()).unwrap();
        assert_eq!(walked.refused.len(), 1);
        assert!(walk(root.path(), &[root.path().join("absent")], &GlobSet::empty()).is_err());
    }

    #[test]
    fn scripts_are_told_by_their_first_line() {
        let root = tree(&[
            ("serve", "#!/usr/bin/env -S FOO=1 python3 -u\n"),
            ("start", "#!/bin/sh\n"),
            ("perl", "#!/usr/bin/perl\n"),
            ("archive", "#!/usr/bin/python3\nPK\0\0"),
            ("LICENSE", "MIT"),
        ]);
        assert_eq!(paths(root.path(), &["."], &[]), ["serve", "start"]);
    }

    #[test]
    fn manifests_are_told_by_what_they_say() {
        let root = tree(&[
            ("k8s/web.yaml", "# served by gunicorn\n---\napiVersion: apps/v1\nkind: Deployment\n"),
            ("k8s/values.yaml", "image: web\nkind: Deployment\n"),
        ]);
        assert_eq!(paths(root.path(), &["."], &[]), ["k8s/web.yaml"]);
    }

    #[test]
    fn files_that_start_workers_are_known_by_name() {
        for name in ["Dockerfile", "Dockerfile.dev", "api.dockerfile", "Containerfile", "docker-compose.yml"]
        {
            assert_eq!(kind_of(Path::new(name)), Some(Kind::Deploy), "{name}");
        }
        for name in ["Procfile", "compose.prod.yaml", "api.service", "start.sh"] {
            assert_eq!(kind_of(Path::new(name)), Some(Kind::Deploy), "{name}");
        }
        assert_eq!(kind_of(Path::new("composer.json")), None);
        assert_eq!(kind_of(Path::new("values.yaml")), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_ends() {
        let root = tree(&[("a/b.py", "")]);
        std::os::unix::fs::symlink(root.path(), root.path().join("a/up")).unwrap();
        assert_eq!(paths(root.path(), &["."], &[]), ["a/b.py"]);
    }
}
