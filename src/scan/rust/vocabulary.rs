//! The words of the language that a value passes through: pointers, wrappers, containers, and the methods that give back
//! what they were called on. This is what `std` means to a type, as keywords mean something to syntax; what a call
//! *does* is in `rules/catalog/rust/`.

/// Types that stand for their only argument.
pub(super) fn is_pointer(name: &str) -> bool {
    matches!(
        name,
        "std::boxed::Box"
            | "std::sync::Arc"
            | "std::rc::Rc"
            | "std::pin::Pin"
            | "std::borrow::Cow"
            | "std::sync::LazyLock"
            | "std::cell::LazyCell"
            | "once_cell::sync::Lazy"
            | "once_cell::unsync::Lazy"
            | "std::mem::ManuallyDrop"
            | "triomphe::Arc"
            | "std::panic::AssertUnwindSafe"
    )
}

/// Methods that a pointer has itself.
pub(super) fn of_pointer(method: &str) -> bool {
    matches!(method, "clone" | "as_ref" | "as_mut" | "borrow" | "to_owned" | "into_inner" | "as_deref")
}

/// What a type without arguments gives access to.
pub(super) fn deref_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "std::path::PathBuf" => "std::path::Path",
        "std::string::String" => "str",
        "std::ffi::OsString" => "std::ffi::OsStr",
        _ => return None,
    })
}

/// Types that `?` and `unwrap` take away.
pub(super) fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "std::option::Option"
            | "std::result::Result"
            | "std::task::Poll"
            | "std::sync::LockResult"
            | "std::sync::TryLockResult"
            | "std::io::Result"
            | "std::thread::Result"
            | "std::fmt::Result"
            | "anyhow::Result"
            | "eyre::Result"
            | "color_eyre::Result"
            | "std::ops::ControlFlow"
    )
}

/// Types that are futures of their argument.
pub(super) fn is_future(name: &str) -> bool {
    matches!(
        name,
        "futures::future::BoxFuture"
            | "futures_util::future::BoxFuture"
            | "futures_core::future::BoxFuture"
            | "futures::future::LocalBoxFuture"
            | "std::future::Future"
            | "std::future::Ready"
    )
}

/// Types that are iterated over in pairs.
pub(super) fn is_map(name: &str) -> bool {
    matches!(name.rsplit("::").next(), Some("HashMap" | "BTreeMap" | "IndexMap" | "DashMap" | "FxHashMap"))
}

/// Types whose constructor takes what they are of.
pub(super) fn wraps_argument(name: &str) -> bool {
    is_pointer(name)
        || matches!(
            name.rsplit("::").next(),
            Some(
                "Mutex"
                    | "RwLock"
                    | "RefCell"
                    | "Cell"
                    | "FairMutex"
                    | "ReentrantMutex"
                    | "OnceLock"
                    | "OnceCell"
            )
        )
}

/// Functions that make a value of the type they belong to.
pub(super) fn is_constructor(function: &str) -> bool {
    function == "new"
        || function == "default"
        || function.starts_with("new_")
        || function.starts_with("with_")
        || function == "from"
        || function == "builder"
        || function == "pin"
        || function == "from_str"
}

/// Methods that take a wrapper away.
pub(super) fn unwraps(method: &str) -> bool {
    matches!(
        method,
        "unwrap"
            | "expect"
            | "unwrap_or"
            | "unwrap_or_default"
            | "unwrap_or_else"
            | "unwrap_unchecked"
            | "ok_or"
            | "ok_or_else"
            | "unwrap_or_log"
    )
}

/// Methods that give what they are called on, or a view of it.
pub(super) fn passes(method: &str) -> bool {
    matches!(
        method,
        "clone"
            | "cloned"
            | "copied"
            | "as_ref"
            | "as_mut"
            | "as_deref"
            | "as_deref_mut"
            | "as_slice"
            | "iter"
            | "iter_mut"
            | "into_iter"
            | "by_ref"
            | "borrow_ref"
            | "to_owned"
            | "to_vec"
            | "into_boxed_slice"
            | "drain"
            | "take"
            | "skip"
            | "rev"
            | "filter"
            | "chain"
            | "peekable"
            | "fuse"
            | "into"
            | "map_err"
            | "context"
            | "with_context"
            | "ok"
            | "inspect"
            | "inspect_err"
            | "or"
            | "or_else"
            | "boxed"
            | "shared"
            | "instrument"
            | "in_current_span"
            | "collect"
            | "get_ref"
            | "project"
            | "project_ref"
            | "get_mut"
            | "get_unchecked_mut"
            | "values"
            | "as_path"
            | "wrap_err"
            | "wrap_err_with"
    )
}

/// Methods of a collection that give one of what is in it.
pub(super) fn gives_element(method: &str) -> bool {
    matches!(
        method,
        "first"
            | "last"
            | "next"
            | "pop"
            | "pop_front"
            | "pop_back"
            | "first_mut"
            | "last_mut"
            | "peek"
            | "front"
    )
}

/// Methods through which a guard passes on its way to a variable: whoever holds the result holds the guard.
pub(super) fn hands_on(method: &str) -> bool {
    unwraps(method)
        || matches!(method, "map_err" | "ok" | "context" | "with_context" | "into_inner" | "or_else")
}

/// The ends that a function which makes a channel gives.
pub(super) fn channel(function: &str) -> Option<(&'static str, &'static str)> {
    let (module, name) = function.rsplit_once("::")?;
    let last = module.rsplit("::").next().unwrap_or(module);
    let module_of_channels = matches!(
        last,
        "mpsc"
            | "oneshot"
            | "broadcast"
            | "watch"
            | "crossbeam_channel"
            | "flume"
            | "async_channel"
            | "channel"
            | "kanal"
            | "mpmc"
    );
    if !module_of_channels {
        return None;
    }
    Some(match name {
        "sync_channel" => ("SyncSender", "Receiver"),
        "unbounded_channel" => ("UnboundedSender", "UnboundedReceiver"),
        "unbounded" if module.starts_with("futures") => ("UnboundedSender", "UnboundedReceiver"),
        "channel" | "unbounded" | "bounded" | "after" | "tick" => ("Sender", "Receiver"),
        _ => return None,
    })
}

/// What an import has to begin with for `par_iter` to be rayon's.
pub(super) const PARALLEL_PRELUDE: &str = "rayon::";
/// The trait that `par_iter` and its like belong to.
pub(super) const PARALLEL_TRAIT: &str = "rayon::iter::ParallelIterator";

/// Methods that run a closure there and then.
pub(super) fn runs_at_once(function: &str) -> bool {
    matches!(
        function.rsplit("::").next().unwrap_or(function),
        "map"
            | "for_each"
            | "filter"
            | "filter_map"
            | "flat_map"
            | "fold"
            | "any"
            | "all"
            | "find"
            | "find_map"
            | "position"
            | "and_then"
            | "or_else"
            | "unwrap_or_else"
            | "map_or"
            | "map_or_else"
            | "map_err"
            | "then"
            | "ok_or_else"
            | "retain"
            | "sort_by"
            | "sort_by_key"
            | "sort_unstable_by"
            | "min_by_key"
            | "max_by_key"
            | "take_while"
            | "skip_while"
            | "inspect"
            | "partition"
            | "get_or_insert_with"
            | "or_insert_with"
            | "get_or_init"
            | "get_or_try_init"
            | "call_once"
            | "try_for_each"
            | "try_fold"
            | "is_some_and"
            | "is_ok_and"
            | "with"
            | "scan"
            | "entry"
            | "and_modify"
            | "inspect_err"
            | "with_context"
            | "unwrap_or_default"
            | "sum"
            | "count"
            | "dedup_by_key"
            | "binary_search_by"
            | "catch_unwind"
            | "is_none_or"
            | "modify"
            | "update"
            | "fetch_update"
            | "with_borrow"
            | "with_borrow_mut"
            | "in_scope"
    )
}

/// Whether a call divides its work among the threads of rayon.
pub(super) fn is_parallel(name: &str) -> bool {
    name.starts_with(PARALLEL_PRELUDE)
}

/// Whether a name is that of a runtime's type, or of a call that makes one.
pub(super) fn makes_runtime(name: &str) -> bool {
    matches!(
        name,
        "tokio::runtime::Runtime" | "tokio::runtime::Runtime::new" | "tokio::runtime::Builder::build"
    )
}

/// Calls on a runtime that give it back.
pub(super) fn is_builder_step(name: &str) -> bool {
    !matches!(name.rsplit("::").next(), Some("new" | "build"))
}

/// Calls that panic where a runtime runs: what tokio calls `blocking_…`.
pub(super) fn only_outside_of_runtimes(name: &str) -> bool {
    name.starts_with("tokio::sync::")
        && name.rsplit("::").next().is_some_and(|last| last.starts_with("blocking_"))
}

/// Calls that let time pass.
pub(super) fn sleeps(name: &str) -> bool {
    matches!(
        name,
        "std::thread::sleep"
            | "tokio::time::sleep"
            | "async_std::task::sleep"
            | "actix_web::rt::time::sleep"
            | "actix_rt::time::sleep"
            | "futures_timer::Delay::new"
            | "smol::Timer::after"
            | "async_io::Timer::after"
            | "futures_time::task::sleep"
    )
}

/// Methods that look whether something has happened, and do not wait for it.
pub(super) fn asks(method: &str) -> bool {
    matches!(
        method,
        "load"
            | "try_lock"
            | "try_recv"
            | "is_finished"
            | "is_empty"
            | "try_wait"
            | "is_some"
            | "is_none"
            | "exists"
            | "is_ready"
            | "is_done"
            | "is_complete"
            | "try_read"
            | "try_write"
            | "is_closed"
            | "is_alive"
            | "is_set"
            | "compare_exchange"
            | "compare_exchange_weak"
            | "contains_key"
    ) || method.starts_with("poll_status")
}

/// What a loop calls to burn time politely.
pub(super) fn spins(name: &str) -> bool {
    matches!(name, "std::hint::spin_loop" | "std::thread::yield_now" | "std::sync::atomic::spin_loop_hint")
}

/// Calls that do nothing worth telling of.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with("std::option::Option::")
        || name.starts_with("std::result::Result::")
        || name.starts_with("std::time::")
        || name.starts_with("number::")
}

/// Futures of tokio and futures that have read or written a part when they are dropped.
pub(super) fn loses_progress(method: &str) -> bool {
    matches!(
        method,
        "read_exact" | "read_to_end" | "read_to_string" | "write_all" | "read_line" | "read_until" | "copy"
    )
}

/// Names of functions that ask for something and change nothing.
pub(super) fn asks_for(name: &str) -> bool {
    [
        "fetch", "get", "load", "query", "find", "read", "download", "lookup", "list", "search", "count",
        "resolve",
    ]
    .iter()
    .any(|word| name == *word || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('_')))
}

/// Calls that send a request of their own, independent of any other.
pub(super) fn is_request(name: &str) -> bool {
    matches!(
        name,
        "reqwest::get" | "reqwest::RequestBuilder::send" | "tokio::fs::read" | "tokio::fs::read_to_string"
    ) || name == "tokio::net::lookup_host"
}

/// Calls that read or write anything that can be read or written, memory included.
pub(super) fn is_any_stream(name: &str) -> bool {
    name == "std::io::copy"
        || ["std::io::Read::", "std::io::Write::", "std::io::BufRead::", "std::io::Seek::"]
            .iter()
            .any(|of| name.starts_with(of))
}

/// What every module sees without importing it.
pub(super) fn prelude(name: &str) -> Option<&'static str> {
    Some(match name {
        "Vec" => "std::vec::Vec",
        "String" => "std::string::String",
        "Box" => "std::boxed::Box",
        "Option" => "std::option::Option",
        "Some" => "std::option::Option::Some",
        "None" => "std::option::Option::None",
        "Result" => "std::result::Result",
        "Ok" => "std::result::Result::Ok",
        "Err" => "std::result::Result::Err",
        "drop" => "std::mem::drop",
        "Iterator" => "std::iter::Iterator",
        "IntoIterator" => "std::iter::IntoIterator",
        "Default" => "std::default::Default",
        "From" => "std::convert::From",
        "Into" => "std::convert::Into",
        "AsRef" => "std::convert::AsRef",
        "Clone" => "std::clone::Clone",
        "ToString" => "std::string::ToString",
        "Fn" | "FnMut" | "FnOnce" => "std::ops::Fn",
        "Future" => "std::future::Future",
        "str" => "str",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize"
        | "f32" | "f64" | "bool" | "char" => "number",
        _ => return None,
    })
}

/// Methods of `Option`, `Result` and the traits of the prelude: where nobody else has a method of that name, it is
/// known what they do whatever they are called on.
pub(super) fn is_universal(method: &str) -> bool {
    unwraps(method)
        || matches!(
            method,
            "clone"
                | "into"
                | "try_into"
                | "to_string"
                | "to_owned"
                | "as_ref"
                | "as_mut"
                | "as_deref"
                | "is_none"
                | "is_some"
                | "is_ok"
                | "is_err"
                | "ok"
                | "err"
                | "map_err"
                | "map"
                | "and_then"
                | "or_else"
                | "cloned"
                | "copied"
                | "collect"
                | "into_iter"
                | "iter"
                | "iter_mut"
                | "len"
                | "is_empty"
                | "eq"
                | "ne"
                | "cmp"
                | "partial_cmp"
                | "hash"
                | "fmt"
                | "borrow"
                | "borrow_mut"
                | "as_str"
                | "as_bytes"
                | "filter"
                | "filter_map"
                | "for_each"
                | "zip"
                | "enumerate"
                | "unwrap_err"
                | "expect_err"
                | "saturating_sub"
                | "min"
                | "max"
                | "wrapping_add"
                | "is_some_and"
                | "map_or"
                | "map_or_else"
                | "get_or_insert_with"
                | "trim"
                | "to_vec"
                | "as_slice"
                | "starts_with"
                | "ends_with"
                | "flatten"
                | "rev"
                | "fold"
        )
}
