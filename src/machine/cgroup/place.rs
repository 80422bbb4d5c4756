//! Where the control groups of a process are found in the file system.
//!
//! `/proc/PID/cgroup` names a path inside a hierarchy; `/proc/self/mountinfo` says which part of that hierarchy is
//! mounted where. In a container the two need not fit: the mount may start below the real root, the path may start
//! at the root of a cgroup namespace. What cannot be proved to be the right directory is not used.

use std::path::{Component, Path, PathBuf};

use super::Found;
use crate::machine::tree::{Tree, proc_dir};

/// A controller whose limits matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Cpu,
    Memory,
    Pids,
}

impl Controller {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

/// Version of the interface: the files are named differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The group of a process for one controller, and its visible ancestors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) version: Version,
    /// Directories from the group itself up to the mount point.
    pub(crate) levels: Vec<PathBuf>,
}

/// Finds the group of `pid` (`None`: this process) for `controller`. `Err` says why it cannot be seen.
pub(crate) fn locate(tree: &Tree, pid: Option<i32>, controller: Controller) -> Found<Place> {
    let name = controller.name();
    let file = proc_dir(pid).join("cgroup");
    let membership =
        tree.read(&file).map_err(|error| format!("{} cannot be read ({error})", file.display()))?;
    let rows = rows_of(&membership);
    if rows.is_empty() && !membership.trim().is_empty() {
        return Err(format!("{} is not understood", file.display()));
    }
    // A controller no row stands for is not in use: then it limits nothing.
    let Some((version, path)) = membership_of(&rows, controller) else {
        return Ok(Place { version: Version::V2, levels: Vec::new() });
    };
    let mountinfo = tree
        .read("/proc/self/mountinfo")
        .map_err(|error| format!("/proc/self/mountinfo cannot be read ({error})"))?;
    let mounts = mounts_of(&mountinfo, version, controller);
    if mounts.is_empty() {
        return Err(format!("no cgroup file system with the {name} controller is mounted"));
    }
    let by_path = mounts.iter().filter_map(|mount| {
        let inside = below(&mount.root, path)?;
        let directory = mount.point.join(inside);
        tree.has_dir(&directory).then_some((mount, directory))
    });
    // Several mounts may show the group; the one that starts highest shows the most ancestors.
    let best = by_path.min_by_key(|(mount, _)| mount.root.components().count());
    let (mount, directory) = best.or_else(|| by_member_list(tree, &mounts, path, pid)).ok_or_else(|| {
        format!("the {name} group {} of the process is not in what is mounted here", path.display())
    })?;
    let levels = directory.ancestors().take_while(|level| level.starts_with(&mount.point));
    Ok(Place { version, levels: levels.map(Path::to_path_buf).collect() })
}

/// The last resort where path and mount do not fit: a directory that lists the process among its members is its
/// group, whatever the names say.
fn by_member_list<'m>(
    tree: &Tree,
    mounts: &'m [Mount],
    path: &Path,
    pid: Option<i32>,
) -> Option<(&'m Mount, PathBuf)> {
    let pid = pid.unwrap_or_else(|| std::process::id().cast_signed()).to_string();
    let lists = |directory: &Path| {
        let members = tree.read(directory.join("cgroup.procs")).unwrap_or_default();
        members.lines().any(|member| member == pid)
    };
    mounts.iter().find_map(|mount| {
        let inside = below(Path::new("/"), path).unwrap_or_default();
        let candidates = [mount.point.join(inside), mount.point.clone()];
        candidates.into_iter().find(|directory| lists(directory)).map(|directory| (mount, directory))
    })
}

/// `path` seen from `root`; `None` if it is not below it or leaves it with `..`.
fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    let inside = path.strip_prefix(root).ok()?;
    inside.components().all(|part| matches!(part, Component::Normal(_))).then(|| inside.to_path_buf())
}

/// Rows of `/proc/PID/cgroup`: the controllers of a hierarchy (none: version 2) and the path in it.
fn rows_of(text: &str) -> Vec<(&str, &Path)> {
    let rows = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        path.starts_with('/').then(|| (controllers, Path::new(path)))
    });
    rows.collect()
}

fn membership_of<'t>(rows: &[(&'t str, &'t Path)], controller: Controller) -> Option<(Version, &'t Path)> {
    // A controller is bound to one version at a time: a version 1 row that names it decides.
    let v1 = rows.iter().find(|(names, _)| names.split(',').any(|name| name == controller.name()));
    let v2 = || rows.iter().find(|(names, _)| names.is_empty());
    v1.map(|(_, path)| (Version::V1, *path)).or_else(|| v2().map(|(_, path)| (Version::V2, *path)))
}

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Which part of the hierarchy is mounted.
    root: PathBuf,
    point: PathBuf,
}

fn mounts_of(mountinfo: &str, version: Version, controller: Controller) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in mountinfo.lines() {
        let Some((mount, matches)) = parse_mount(line, version, controller) else { continue };
        // Whatever is mounted later hides what was there before.
        mounts.retain(|earlier| earlier.point != mount.point);
        if matches {
            mounts.push(mount);
        }
    }
    mounts
}

/// One line of mountinfo and whether it mounts the wanted hierarchy:
/// `36 31 0:29 / /sys/fs/cgroup/cpu rw shared:1 - cgroup cgroup rw,cpu`.
fn parse_mount(line: &str, version: Version, controller: Controller) -> Option<(Mount, bool)> {
    let (mount, source) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (unescape(mount.next()?), unescape(mount.next()?));
    let mut source = source.split(' ');
    let (kind, options) = (source.next()?, source.nth(1).unwrap_or_default());
    let matches = match version {
        Version::V1 => kind == "cgroup" && options.split(',').any(|option| option == controller.name()),
        Version::V2 => kind == "cgroup2",
    };
    Some((Mount { root: root.into(), point: point.into() }, matches))
}

/// Undoes the `\040` the kernel writes for space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(code) = code {
            plain.push(char::from(code));
            plain.push_str(&part[3..]);
        } else {
            plain.push('\\');
            plain.push_str(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_bound_to_version_1_wins_over_the_unified_row() {
        let rows = rows_of("5:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n");
        assert_eq!(membership_of(&rows, Controller::Cpu), Some((Version::V1, Path::new("/a"))));
        assert_eq!(membership_of(&rows, Controller::Memory), Some((Version::V2, Path::new("/c"))));
        assert_eq!(membership_of(&rows[..2], Controller::Memory), None);
        assert_eq!(rows_of("0::/x (deleted)\n"), [("", Path::new("/x"))]);
        assert_eq!(rows_of("garbage\n::\n7:cpu:relative"), []);
    }

    #[test]
    fn a_later_mount_hides_an_earlier_one() {
        let text = "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n2 1 0:2 / /cg rw - tmpfs tmpfs rw\n";
        assert_eq!(mounts_of(text, Version::V2, Controller::Cpu), []);
    }

    #[test]
    fn names_with_spaces_and_odd_escapes() {
        assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(unescape(r"\09\"), r"\09\");
        assert_eq!(unescape("\\é1"), "\\é1");
    }

    #[test]
    fn paths_that_leave_the_mount_are_not_below_it() {
        assert_eq!(below(Path::new("/docker/x"), Path::new("/docker/x/y")), Some("y".into()));
        assert_eq!(below(Path::new("/"), Path::new("/../z")), None);
        assert_eq!(below(Path::new("/docker/x"), Path::new("/docker/xy")), None);
    }
}
