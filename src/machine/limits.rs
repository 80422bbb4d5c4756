//! The resource limits of a process, from its `limits` file: readable for any process of the same user, where
//! `prlimit` is not.

use std::path::Path;

use super::tree::Tree;

/// Soft limits; `None`: unlimited or not readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// `RLIMIT_NOFILE`.
    pub(crate) open_files: Option<u64>,
    /// `RLIMIT_NPROC`: processes and threads of the user.
    pub(crate) tasks: Option<u64>,
}

/// Reads the limits; `None` where the file cannot be read.
pub(crate) fn read(tree: &Tree, process: &Path) -> Option<Limits> {
    tree.read(process.join("limits")).ok().map(|text| parse(&text))
}

fn parse(text: &str) -> Limits {
    let soft = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Limits { open_files: soft("Max open files "), tasks: soft("Max processes ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_limits_and_unlimited() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             unlimited            unlimited            processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(parse(text), Limits { open_files: Some(1024), tasks: None });
        assert_eq!(parse("nonsense"), Limits::default());
    }
}
