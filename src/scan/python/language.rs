//! Python's own vocabulary: names that are syntax in all but spelling, and conventions by which frameworks tell when a
//! function runs. What a call of a library *does* is the catalogue's business, not this table's.

/// Decorators that remember what a function returned.
pub(super) const CACHES: &[&str] =
    &["cache", "lru_cache", "cached_property", "cached", "memoize", "alru_cache"];
/// Decorators that turn reading an attribute into a call.
pub(super) const PROPERTIES: &[&str] = &["property", "cached_property", "abstractproperty"];
/// Decorators of functions without a body of their own.
pub(super) const BODILESS: &[&str] = &["abstractmethod", "abstractproperty", "overload"];
/// Decorators that make `with` run a generator.
pub(super) const CONTEXT_MANAGERS: &[&str] = &["contextmanager", "asynccontextmanager"];
/// Builtins that run an iterable to its end.
pub(super) const CONSUMERS: &[&str] = &[
    "list",
    "tuple",
    "set",
    "frozenset",
    "dict",
    "sorted",
    "sum",
    "min",
    "max",
    "any",
    "all",
    "next",
    "deque",
];
/// Builtins that hand on the elements of their first argument.
pub(super) const SAME_ELEMENTS: &[&str] =
    &["list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "filter"];

/// Annotations that mean one of their arguments.
pub(super) const TRANSPARENT: &[&str] = &[
    "Optional",
    "Union",
    "Annotated",
    "Final",
    "ClassVar",
    "Required",
    "NotRequired",
    "ReadOnly",
    "InitVar",
];
/// Annotations that say how a name is used and not what it is.
pub(super) const UNTYPED: &[&str] = &["Final", "ClassVar"];
/// Annotations of what holds, or yields, things of its first argument.
pub(super) const SEQUENCES: &[&str] = &[
    "list",
    "List",
    "set",
    "Set",
    "frozenset",
    "FrozenSet",
    "Sequence",
    "MutableSequence",
    "Iterable",
    "Iterator",
    "Collection",
    "Deque",
    "deque",
    "tuple",
    "Tuple",
    "Generator",
    "AsyncIterable",
    "AsyncIterator",
    "AsyncGenerator",
    "AbstractSet",
];
/// Annotations of what maps to things of its second argument.
pub(super) const MAPPINGS: &[&str] =
    &["dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict"];
/// Annotations of what gives its last argument when awaited.
pub(super) const AWAITABLES: &[&str] = &["Awaitable", "Coroutine"];

/// Questions whose answer tells whether a loop runs here, or which thread this is. What depends on them is not code
/// that blocks a loop unknowingly.
pub(super) const LOOP_QUESTIONS: &[&str] = &[
    "is_running",
    "get_ident",
    "get_native_id",
    "current_thread",
    "main_thread",
    "in_async_context",
    "in_async_loop",
    "current_async_library",
    "current_task",
    "_get_running_loop",
    "get_running_loop",
];
/// Names of what tells a function whether it is to run for a loop.
pub(super) const ASYNC_SWITCHES: &[&str] =
    &["asynchronous", "is_async", "isasync", "use_async", "async_mode"];
/// What fails where no loop runs; the handler of that failure runs only there.
pub(super) const LOOP_PROOFS: &[&str] =
    &["get_running_loop", "current_task", "get_event_loop", "current_async_library"];

/// Errors of what was told not to wait and would have had to.
pub(super) const WOULD_WAIT: &[&str] = &["BlockingIOError", "SSLWantReadError", "SSLWantWriteError"];
/// Methods that ask an object whether it is done, or have it say so: what it is asked for afterwards is there.
pub(super) const ASKS_FOR_END: &[&str] = &["done", "cancelled", "add_done_callback", "empty", "qsize"];

/// Methods of pools that hand work over and do not say when it is done.
pub(super) const HANDS_OVER: &[&str] =
    &["submit", "map", "apply_async", "map_async", "starmap_async", "imap"];

/// Functions that tell whether something can be awaited.
pub(super) const ASKS_FOR_AWAITABLE: &[&str] = &["isawaitable", "iscoroutine"];

/// Where what is imported already stands.
pub(super) const IMPORTED: &str = "sys.modules";

/// Methods, and the argument with which they make what they are called on never wait: a `connect` on a socket without a
/// timeout returns at once.
pub(super) const NEVER_WAITS: &[(&str, &[&str])] =
    &[("setblocking", &["False", "0"]), ("settimeout", &["0", "0.0"])];

/// Keywords, attributes and decorators that frameworks use for what runs while a program starts or stops.
pub(super) const START_UP: &[&str] = &[
    "lifespan",
    "on_startup",
    "on_shutdown",
    "on_event",
    "on_cleanup",
    "cleanup_ctx",
    "startup",
    "shutdown",
    "before_serving",
    "after_serving",
    "while_serving",
    "before_server_start",
    "after_server_start",
    "before_server_stop",
    "after_server_stop",
    "main_process_start",
    "on_app_init",
    "lifespan_context",
    "add_event_handler",
    "post_init",
    "post_shutdown",
];
/// Decorators of the commands of command-line programs.
pub(super) const COMMANDS: &[&str] = &["command", "callback", "group", "argument", "option", "pass_context"];

/// What is put before and after the name of a function to name its async twin.
pub(super) const ASYNC_TWINS: &[(&str, &str)] = &[("a", ""), ("async_", ""), ("", "_async"), ("aio_", "")];
/// Parts of the names of functions that bring something to its end.
pub(super) const ENDING: &[&str] = &["stop", "close", "shut", "exit", "clean", "tear", "disconnect", "drain"];
/// Beginnings of the names of functions that ask and change nothing.
pub(super) const ASKING: &[&str] =
    &["fetch", "get", "load", "read", "list", "find", "search", "download", "query"];
/// Names of what two awaits must not use at once.
pub(super) const SHARED: &[&str] = &[
    "db",
    "session",
    "conn",
    "connection",
    "cursor",
    "tx",
    "transaction",
    "cur",
    "reader",
    "ws",
    "websocket",
];
/// Their decorators that make a route: handlers of exceptions and the like are something else.
const ROUTES: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "api_route"];
/// Types whose routes run in a thread where they are plain functions.
const ROUTERS: &[&str] =
    &["fastapi.FastAPI", "fastapi.APIRouter", "fastapi.applications.FastAPI", "fastapi.routing.APIRouter"];

/// Whether this decorator makes a function the answer to a request.
pub(super) fn is_route(decorator: &str) -> bool {
    decorator
        .rsplit_once('.')
        .is_some_and(|(owner, method)| ROUTERS.contains(&owner) && ROUTES.contains(&method))
}

/// Files of tests, by how they and their directories are named.
pub(super) fn is_test(path: &str) -> bool {
    let (directories, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.split('.').next().unwrap_or(file);
    stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || matches!(stem, "conftest" | "tests" | "test")
        || directories.split('/').any(|part| matches!(part, "test" | "tests" | "testing" | "e2e"))
}

/// Files of programs that somebody starts, and that end: nobody else waits while they do.
pub(super) fn is_script(path: &str) -> bool {
    let directories = path.rsplit_once('/').map_or("", |(directories, _)| directories);
    directories
        .split('/')
        .any(|part| matches!(part, "scripts" | "script" | "examples" | "benchmarks" | "tools" | "docs"))
}

/// Whether a name is one of the builtins. What is bound nowhere and is none of them comes from a star import, or from
/// nowhere.
pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}

/// What calling a builtin, or a method of a builtin type, makes.
pub(super) fn made_by(function: &str) -> Option<&'static str> {
    let name = function.strip_prefix("builtins.")?;
    let row = MADE_BY.iter().find(|(_, names)| names.contains(&name))?;
    Some(row.0)
}

/// What iterating an instance of a builtin type gives.
pub(super) fn element_of(made: &str) -> Option<&'static str> {
    match made {
        "builtins.str" | "io.TextIOWrapper" => Some("builtins.str"),
        "builtins.bytes" | "builtins.bytearray" | "builtins.range" => Some("builtins.int"),
        _ => None,
    }
}

const MADE_BY: &[(&str, &[&str])] = &[
    (
        "builtins.str",
        &[
            "str",
            "repr",
            "ascii",
            "chr",
            "hex",
            "oct",
            "bin",
            "format",
            "input",
            "str.lower",
            "str.upper",
            "str.strip",
            "str.lstrip",
            "str.rstrip",
            "str.format",
            "str.join",
            "str.replace",
            "str.title",
            "str.capitalize",
            "str.casefold",
            "str.removeprefix",
            "str.removesuffix",
            "str.zfill",
            "str.ljust",
            "str.rjust",
            "str.center",
            "str.translate",
            "str.expandtabs",
            "str.format_map",
            "str.swapcase",
            "bytes.decode",
            "bytearray.decode",
            "bytes.hex",
        ],
    ),
    (
        "builtins.bytes",
        &["bytes", "str.encode", "bytes.strip", "bytes.join", "bytes.replace", "int.to_bytes"],
    ),
    ("builtins.bytearray", &["bytearray"]),
    (
        "builtins.int",
        &[
            "int",
            "len",
            "ord",
            "hash",
            "id",
            "round",
            "str.find",
            "str.count",
            "str.index",
            "str.rfind",
            "list.index",
            "list.count",
            "int.from_bytes",
            "int.bit_length",
        ],
    ),
    ("builtins.float", &["float"]),
    (
        "builtins.bool",
        &[
            "bool",
            "isinstance",
            "issubclass",
            "callable",
            "hasattr",
            "all",
            "any",
            "str.startswith",
            "str.endswith",
            "str.isdigit",
            "str.isalpha",
            "str.isalnum",
            "str.isspace",
            "str.isupper",
            "str.islower",
            "str.isidentifier",
            "bytes.startswith",
            "bytes.endswith",
        ],
    ),
    ("builtins.list", &["dir", "str.split", "str.rsplit", "str.splitlines", "bytes.split", "list.copy"]),
    ("builtins.tuple", &["divmod", "str.partition", "str.rpartition"]),
    ("builtins.dict", &["dict", "vars", "globals", "locals", "dict.copy"]),
    ("builtins.range", &["range"]),
    ("builtins.object", &["object"]),
    ("builtins.memoryview", &["memoryview"]),
];

const BUILTINS: &[&str] = &[
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "EncodingWarning",
    "EnvironmentError",
    "Exception",
    "ExceptionGroup",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "IOError",
    "ImportError",
    "ImportWarning",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplemented",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "PythonFinalizationError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
    "__build_class__",
    "__import__",
    "abs",
    "aiter",
    "all",
    "anext",
    "any",
    "apply",
    "ascii",
    "basestring",
    "bin",
    "bool",
    "breakpoint",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "cmp",
    "compile",
    "complex",
    "copyright",
    "credits",
    "delattr",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "eval",
    "exec",
    "execfile",
    "exit",
    "file",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "help",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "license",
    "list",
    "locals",
    "long",
    "map",
    "max",
    "memoryview",
    "min",
    "next",
    "object",
    "oct",
    "open",
    "ord",
    "pow",
    "print",
    "property",
    "quit",
    "range",
    "raw_input",
    "reduce",
    "reload",
    "repr",
    "reveal_type",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "unichr",
    "unicode",
    "vars",
    "xrange",
    "zip",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_in_the_order_the_search_needs() {
        assert!(BUILTINS.is_sorted());
        assert!(is_builtin("open") && !is_builtin("opened"));
    }

    #[test]
    fn tests_are_known_by_their_names() {
        for test in ["tests/a.py", "pkg/tests/unit/a.py", "test_a.py", "pkg/a_test.py", "conftest.py"] {
            assert!(is_test(test), "{test}");
        }
        for code in ["pkg/contest.py", "latest/a.py", "testimony.py"] {
            assert!(!is_test(code), "{code}");
        }
    }
}
