//! The numbers that threads have where they live: in a container they know themselves by others than we do. The edge: reads
//! `/proc`.

use crate::profile::source::procfs::{parse_inner_id, read_small};

/// Whether a process counts in a namespace of its own. It cannot move to another one while it lives.
pub(super) fn is_nested(pid: i32) -> bool {
    let status = read_small(format!("/proc/{pid}/status").as_ref());
    status.is_ok_and(|status| parse_inner_id(&status).is_some_and(|inner| inner.is_nested))
}

/// The number by which a thread of a nested process knows itself; ours, if that cannot be told.
pub(super) fn inner_id(pid: i32, tid: i32) -> i32 {
    let status = read_small(format!("/proc/{pid}/task/{tid}/status").as_ref());
    status.ok().and_then(|status| parse_inner_id(&status)).map_or(tid, |inner| inner.id)
}
