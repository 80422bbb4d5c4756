//! The tree of another commit, read with git's own plumbing into memory: no checkout, no second working tree, nothing
//! written. Knows git; not what is done with the files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use globset::GlobSet;

use super::Tree;
use super::walk::{self, Kind};

/// Why another commit cannot be read; says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// Git could not be started.
    #[error("git cannot be started: {0}; --diff needs it")]
    NoGit(String),
    /// Outside of a repository.
    #[error("{} is in no git repository: --diff compares with a commit; use --baseline outside of one", .0.display())]
    NoRepository(PathBuf),
    /// The commit is not there.
    #[error(
        "no commit `{0}` here: fetch it (a shallow clone lacks it: git fetch --unshallow), or name another"
    )]
    NoCommit(String),
    /// The two histories never met.
    #[error("`{0}` and HEAD have no commit in common: fetch more of the history (git fetch --unshallow)")]
    NoMergeBase(String),
    /// Git failed at something it should be able to do.
    #[error("git {0} failed: {1}")]
    Failed(String, String),
}

/// The tree at the point where this branch left another.
#[derive(Debug)]
pub struct Base {
    /// The commit, in full.
    pub commit: String,
    /// Its source.
    pub tree: Tree,
    /// Paths since then renamed: the old one by the new one.
    pub renamed: BTreeMap<String, String>,
}

/// The top of the repository a directory is in.
///
/// # Errors
/// It is in none, or there is no git.
pub fn top(directory: &Path) -> Result<PathBuf, GitError> {
    let output = git(directory, &["rev-parse", "--show-toplevel"])?;
    let text = output.ok().ok_or_else(|| GitError::NoRepository(directory.to_owned()))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&text).trim_end_matches('\n')))
}

/// Reads the source at the merge base of HEAD and `name`.
///
/// `wanted` tells which paths, relative to the top, are of interest.
///
/// # Errors
/// See [`GitError`].
pub fn base(
    top: &Path,
    name: &str,
    exclude: &GlobSet,
    wanted: impl Fn(&str) -> bool,
) -> Result<Base, GitError> {
    // A name that begins with a dash would be an option.
    let commit = format!("{name}^{{commit}}");
    if name.starts_with('-')
        || git(top, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?.is_err()
    {
        return Err(GitError::NoCommit(name.to_owned()));
    }
    let found =
        git(top, &["merge-base", "HEAD", &commit])?.map_err(|_| GitError::NoMergeBase(name.to_owned()))?;
    let commit = String::from_utf8_lossy(&found).trim().to_owned();
    let listing = must(top, &["ls-tree", "-r", "-z", "--full-tree", &commit])?;
    let entries = listing.split(|byte| *byte == 0).filter_map(|entry| {
        // mode, type, object, then a tab and the path; links (120000) and submodules (160000) hold no source.
        let entry = std::str::from_utf8(entry).ok()?;
        let (head, path) = entry.split_once('\t')?;
        let mut head = head.split(' ');
        let (mode, _, object) = (head.next()?, head.next()?, head.next()?);
        let kind = walk::kind_by_name(Path::new(path));
        // Programs without an extension are scripts only if they can be run.
        let name = path.rsplit('/').next()?;
        let asked = walk::may_tell(name) && (mode == "100755" || name.contains('.'));
        let taken = mode.starts_with("100") && (kind.is_some() || asked);
        let taken = taken && wanted(path) && !walk::foreign(path) && !exclude.is_match(path);
        taken.then(|| (path.to_owned(), object.to_owned(), kind))
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    let tree = contents(top, &entries)?;
    Ok(Base { tree, renamed: renamed(top, &commit)?, commit })
}

/// Old paths by new ones, between a commit and the files as they are now.
fn renamed(top: &Path, commit: &str) -> Result<BTreeMap<String, String>, GitError> {
    let changes = must(top, &["diff", "--name-status", "--diff-filter=R", "-M", "-z", commit])?;
    let changes = String::from_utf8_lossy(&changes).into_owned();
    let mut words = changes.split('\0');
    let mut renamed = BTreeMap::new();
    while let (Some(_status), Some(old), Some(new)) = (words.next(), words.next(), words.next()) {
        renamed.insert(new.to_owned(), old.to_owned());
    }
    Ok(renamed)
}

/// The contents of objects, through one `cat-file` for all of them.
fn contents(top: &Path, entries: &[(String, String, Option<Kind>)]) -> Result<Tree, GitError> {
    let failed = |error: &dyn std::fmt::Display| GitError::Failed("cat-file".to_owned(), error.to_string());
    let mut child = command(top, &["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| GitError::NoGit(error.to_string()))?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed(&"it has no pipes"));
    };
    let objects: String = entries.iter().flat_map(|(_, object, _)| [object.as_str(), "\n"]).collect();
    // Written from a thread of its own: git answers before it has read all questions, and pipes are small.
    let writer = std::thread::spawn(move || input.write_all(objects.as_bytes()));
    let mut tree = Tree::default();
    let mut output = BufReader::new(output);
    for (path, _, kind) in entries {
        let mut head = String::new();
        output.read_line(&mut head).map_err(|error| failed(&error))?;
        let size = head.split_whitespace().nth(2).and_then(|size| size.parse::<u64>().ok());
        let size = size.ok_or_else(|| failed(&format!("{path}: {}", head.trim())))?;
        let mut bytes = Vec::new();
        // The contents, and a line end of git's own.
        output.by_ref().take(size + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        bytes.truncate(size as usize);
        // Only what it begins with tells scripts from other programs and manifests from other settings.
        let Some(kind) = kind.or_else(|| walk::kind_by_content(path, &bytes)) else { continue };
        match Tree::file(path, bytes, kind) {
            Ok(file) => tree.files.push(file),
            Err(problem) => tree.problems.push(problem),
        }
    }
    drop(output);
    // What was asked has been answered; how the process ends says nothing more.
    let _ = (writer.join(), child.wait());
    Ok(tree)
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    // Neither the user's language nor a pager nor a lock of ours may change what is read.
    command.current_dir(directory).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    command.args(["-c", "core.quotepath=off", "--no-pager"]).args(arguments).stdin(Stdio::null());
    command
}

/// What git writes, or what it complains of.
fn git(directory: &Path, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, GitError> {
    let output =
        command(directory, arguments).output().map_err(|error| GitError::NoGit(error.to_string()))?;
    let complaint = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(if output.status.success() { Ok(output.stdout) } else { Err(complaint()) })
}

fn must(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    let name = arguments.first().copied().unwrap_or_default().to_owned();
    git(directory, arguments)?.map_err(|complaint| GitError::Failed(name, complaint))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run(top: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        let arguments: Vec<_> = identity.iter().chain(arguments).copied().collect();
        must(top, &arguments).unwrap();
    }

    #[test]
    fn the_tree_of_the_merge_base_is_read_without_a_checkout() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path();
        run(top, &["init", "-q", "-b", "main"]);
        fs::write(top.join("a.py"), "one = 1\nlong_enough_to_be_recognised = 1\n").unwrap();
        fs::write(top.join("ü.py"), "").unwrap();
        fs::write(top.join("notes.md"), "").unwrap();
        run(top, &["add", "."]);
        run(top, &["commit", "-qm", "first"]);
        run(top, &["checkout", "-qb", "work"]);
        fs::rename(top.join("a.py"), top.join("b.py")).unwrap();
        run(top, &["add", "-A"]);
        run(top, &["commit", "-qm", "second"]);
        run(top, &["checkout", "-q", "main"]);
        fs::write(top.join("a.py"), "changed on main = 1\n").unwrap();
        run(top, &["commit", "-qam", "third"]);
        run(top, &["checkout", "-q", "work"]);

        let base = base(top, "main", &GlobSet::empty(), |_| true).unwrap();
        let files: Vec<_> = base.tree.files.iter().map(|(file, _)| (&*file.path, &*file.text)).collect();
        assert_eq!(files, [("a.py", "one = 1\nlong_enough_to_be_recognised = 1\n"), ("ü.py", "")]);
        assert_eq!(base.renamed.get("b.py").map(String::as_str), Some("a.py"));
        assert!(top.join("b.py").exists() && !top.join("a.py").exists());
    }

    #[test]
    fn what_git_lacks_is_said_with_a_way_out() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(super::top(root.path()), Err(GitError::NoRepository(_))));
        run(root.path(), &["init", "-q"]);
        for name in ["absent", "--output=x", ""] {
            let error = base(root.path(), name, &GlobSet::empty(), |_| true).unwrap_err();
            assert!(matches!(error, GitError::NoCommit(_)), "{error}");
        }
    }
}
