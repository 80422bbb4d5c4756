//! Files and the modules they are. Knows paths and dots, no syntax.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};

/// The dotted name of a file's module, as far as its path tells: `src/shop/api/__init__.py` is `shop.api`. Directories
/// that merely hold sources are left out.
#[must_use]
pub fn module_name(path: &str) -> String {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    let mut parts: Vec<&str> = stem.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.len() > 1 && matches!(parts[0], "src" | "lib" | "python") {
        parts.remove(0);
    }
    parts.join(".")
}

/// Whether a file is the body of a package.
#[must_use]
pub fn is_package(path: &str) -> bool {
    path == "__init__.py" || path.ends_with("/__init__.py")
}

/// The absolute name of what an import names: `module` with `level` dots before it, in the module `here`. `None` where
/// the dots lead out of everything.
#[must_use]
pub fn absolute<'m>(here: &str, in_package: bool, level: u32, module: &'m str) -> Option<Cow<'m, str>> {
    if level == 0 {
        return Some(Cow::Borrowed(module));
    }
    let mut parts: Vec<&str> = here.split('.').filter(|part| !part.is_empty()).collect();
    let up = level as usize - usize::from(in_package);
    if up > parts.len() {
        return None;
    }
    parts.truncate(parts.len() - up);
    if !module.is_empty() {
        parts.push(module);
    }
    Some(Cow::Owned(parts.join(".")))
}

/// Where the modules of a project are: which file an import means.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// Files by every dotted name they may be imported under, each with how far its own package reaches up.
    by_name: FxHashMap<Box<str>, Vec<Candidate>>,
    /// Dotted names that only exist as directories.
    namespaces: FxHashSet<Box<str>>,
    /// Of each file: its name from the root of its package, and whether it is a package.
    own: Vec<(Box<str>, bool)>,
    roots: Vec<Box<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    file: u32,
    /// Whether this name starts at the root of its package: the name under which it is meant to be imported.
    proper: bool,
}

/// Directories that hold the sources of a project, and are on the path of what runs it.
const SOURCE_ROOTS: &[&str] = &["", "src", "lib", "python"];

impl Modules {
    pub(super) fn of<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> Self {
        let packages: FxHashSet<&str> = paths
            .clone()
            .filter(|path| is_package(path))
            .map(|path| path.rsplit_once('/').map_or("", |(directory, _)| directory))
            .collect();
        let mut modules = Self::default();
        for (file, path) in paths.enumerate() {
            let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
            let package = is_package(path);
            let stem = if package {
                stem.strip_suffix("__init__").unwrap_or(stem).trim_end_matches('/')
            } else {
                stem
            };
            let mut root = stem.rsplit_once('/').map_or("", |(directory, _)| directory);
            while !root.is_empty() && packages.contains(root) {
                root = root.rsplit_once('/').map_or("", |(directory, _)| directory);
            }
            let below = stem.strip_prefix(root).unwrap_or(stem).trim_start_matches('/');
            let own = below.replace('/', ".");
            // Above the package there may be a namespace, or a directory that was put on the path.
            let whole = stem.replace('/', ".");
            let mut start = 0;
            loop {
                let name = &whole[start..];
                let proper = name == own;
                if !name.is_empty() {
                    modules
                        .by_name
                        .entry(name.into())
                        .or_default()
                        .push(Candidate { file: file as u32, proper });
                    modules.note_namespaces(name, own.len());
                }
                if name.len() <= own.len() {
                    break;
                }
                match name.find('.') {
                    Some(dot) => start += dot + 1,
                    None => break,
                }
            }
            modules.own.push((own.into(), package));
            modules.roots.push(root.into());
        }
        modules
    }

    fn note_namespaces(&mut self, name: &str, own: usize) {
        let above = name.len().saturating_sub(own);
        for (dot, _) in name.match_indices('.').filter(|(dot, _)| *dot < above) {
            self.namespaces.insert(name[..dot].into());
        }
    }

    /// The dotted name of a file from the root of its package.
    pub(super) fn name(&self, file: u32) -> &str {
        &self.own[file as usize].0
    }

    /// The absolute name of an import written in a file.
    pub(super) fn absolute<'m>(&self, file: u32, level: u32, module: &'m str) -> Option<Cow<'m, str>> {
        let (here, package) = &self.own[file as usize];
        absolute(here, *package, level, module)
    }

    pub(super) fn is_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// The file that an absolute name means when `from` imports it. Of several, the one in the same package tree, then
    /// the nearest.
    pub(super) fn find(&self, from: u32, name: &str) -> Option<u32> {
        let here = &*self.roots[from as usize];
        let candidates = self.by_name.get(name)?;
        let visible = candidates.iter().filter(|candidate| self.is_visible(here, name, **candidate));
        let best = visible.min_by_key(|candidate| {
            let root = &*self.roots[candidate.file as usize];
            let nearness = shared_directories(here, root);
            (root != here, !candidate.proper, std::cmp::Reverse(nearness), root.len(), candidate.file)
        });
        best.map(|candidate| candidate.file)
    }

    /// A single file may carry the name of a library by chance: it is meant only from its own directory or below, or
    /// where sources are rooted. A package is meant from everywhere.
    fn is_visible(&self, here: &str, name: &str, candidate: Candidate) -> bool {
        let root = &*self.roots[candidate.file as usize];
        let (_, package) = self.own[candidate.file as usize];
        if name.contains('.') || package {
            return true;
        }
        let above = here == root
            || here.strip_prefix(root).is_some_and(|rest| root.is_empty() || rest.starts_with('/'));
        let last = root.rsplit('/').next().unwrap_or(root);
        candidate.proper && (above || SOURCE_ROOTS.contains(&last))
    }
}

fn shared_directories(one: &str, other: &str) -> usize {
    one.split('/').zip(other.split('/')).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_module() {
        assert_eq!(module_name("src/shop/api/__init__.py"), "shop.api");
        assert_eq!(module_name("shop/api.pyi"), "shop.api");
        assert_eq!(module_name("./main.py"), "main");
        assert_eq!(module_name("src.py"), "src");
    }

    #[test]
    fn dots_climb() {
        assert_eq!(absolute("a.b.c", false, 1, "d").as_deref(), Some("a.b.d"));
        assert_eq!(absolute("a.b", true, 1, "").as_deref(), Some("a.b"));
        assert_eq!(absolute("a.b.c", false, 2, "").as_deref(), Some("a"));
        assert_eq!(absolute("a", false, 3, "x"), None);
        assert_eq!(absolute("a", false, 0, "x.y").as_deref(), Some("x.y"));
    }

    fn found(paths: &[&'static str], from: usize, name: &str) -> Option<&'static str> {
        let modules = Modules::of(paths.iter().copied());
        modules.find(from as u32, name).map(|file| paths[file as usize])
    }

    #[test]
    fn an_import_finds_its_file() {
        let paths = [
            "src/shop/__init__.py",
            "src/shop/db.py",
            "tests/test_db.py",
            "tools/requests.py",
            "tools/run.py",
        ];
        assert_eq!(found(&paths, 2, "shop.db"), Some("src/shop/db.py"));
        assert_eq!(found(&paths, 2, "shop"), Some("src/shop/__init__.py"));
        assert_eq!(found(&paths, 4, "requests"), Some("tools/requests.py"));
        assert_eq!(found(&paths, 1, "requests"), None);
        assert_eq!(found(&paths, 1, "db"), None);
    }

    #[test]
    fn of_several_packages_the_own_one_is_meant() {
        let paths = ["a/app/__init__.py", "a/app/x.py", "b/app/__init__.py", "b/app/x.py"];
        assert_eq!(found(&paths, 3, "app.x"), Some("b/app/x.py"));
        assert_eq!(found(&paths, 0, "app.x"), Some("a/app/x.py"));
    }

    #[test]
    fn directories_may_be_namespaces() {
        let paths = ["ns/part/__init__.py", "ns/part/x.py", "main.py"];
        assert_eq!(found(&paths, 2, "ns.part.x"), Some("ns/part/x.py"));
        assert!(Modules::of(paths.iter().copied()).is_namespace("ns"));
    }
}
