//! Which file is what: roots of crates, and where the files of a module are.

use super::super::facts::{FileFacts, ScopeAt};

/// Whether a file is the root of a crate: the directory of its package, and whether it is a library.
pub(super) fn target(path: &str) -> Option<(&str, bool)> {
    let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
    let package = |suffix: &str| {
        let prefix = directory.strip_suffix(suffix)?;
        (prefix.is_empty() || prefix.ends_with('/')).then_some(prefix)
    };
    if file == "lib.rs"
        && let Some(prefix) = package("src")
    {
        return Some((prefix, true));
    }
    if file == "main.rs"
        && let Some(prefix) = package("src")
    {
        return Some((prefix, false));
    }
    for suffix in ["src/bin", "tests", "examples", "benches"] {
        if let Some(prefix) = package(suffix) {
            return Some((prefix, false));
        }
    }
    if file == "main.rs" {
        let above = directory.rsplit_once('/').map_or("", |(above, _)| above);
        for suffix in ["src/bin", "tests", "examples", "benches"] {
            if let Some(prefix) = above.strip_suffix(suffix)
                && (prefix.is_empty() || prefix.ends_with('/'))
            {
                return Some((prefix, false));
            }
        }
    }
    (file == "build.rs").then(|| path.strip_suffix("build.rs").unwrap_or_default()).map(|p| (p, false))
}

pub(super) fn directory(path: &str) -> String {
    path.rsplit_once('/').map_or_else(String::new, |(directory, _)| format!("{directory}/"))
}

/// Where the files of a file's modules are.
pub(super) fn module_directory(facts: &FileFacts, is_root: bool) -> String {
    let file = facts.path.rsplit('/').next().unwrap_or_default();
    if is_root || file == "mod.rs" {
        return directory(&facts.path);
    }
    format!("{}/", facts.path.trim_end_matches(".rs"))
}

/// The directories that inline modules around a declaration add.
pub(super) fn inline_path(facts: &FileFacts, scope: ScopeAt) -> String {
    let mut parts = Vec::new();
    let mut at = Some(scope);
    while let Some(scope) = at {
        let scope = &facts.scopes[scope.at()];
        if let Some(name) = scope.name {
            parts.push(facts.text(name));
        }
        at = scope.parent;
    }
    parts.iter().rev().fold(String::new(), |path, part| path + part + "/")
}

pub(super) fn join_path(directory: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

pub(super) fn for_tests(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|part| {
        matches!(part, "tests" | "test" | "benches" | "examples" | "testing" | "testdata" | "fuzz")
            || part.ends_with("-tests")
            || part.ends_with("_tests")
    })
}
