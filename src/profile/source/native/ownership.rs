//! Whose code a function is: the program's own, or that of a library or of the language's runtime. Pure; judges paths
//! and names, as compilers and package managers leave them.

/// Parts of the paths of sources that are not the program's own.
const FOREIGN_SOURCES: &[&str] = &[
    // Rust's standard library, as it is released and as the component `rust-src` installs it.
    "/rustc/",
    "/lib/rustlib/src/",
    "/rust/deps/",
    // Cargo's packages.
    "/registry/src/",
    "/.cargo/registry/",
    "/.cargo/git/",
    "/git/checkouts/",
    // Packages that were copied into a project.
    "/vendor/",
    "/third_party/",
    "/third-party/",
    "/node_modules/",
    // Go's standard library and packages.
    "/go/pkg/mod/",
    "/usr/lib/go",
    "/usr/local/go/src/",
    // What systems install, and how C libraries name their own sources.
    "/usr/include/",
    "/usr/lib/",
    "/usr/src/",
    "/sysdeps/",
    "/nptl/",
    "/build/glibc",
    "/libgcc/",
    "/libstdc++",
];
/// Where systems and package managers install libraries.
const FOREIGN_LIBRARIES: &[&str] =
    &["/lib/", "/lib32/", "/lib64/", "/usr/", "/nix/store/", "/snap/", "/opt/conda/", "/app/lib/"];
/// Libraries below these, wherever they are, were installed for an interpreter.
const INSTALLED: &[&str] = &["/site-packages/", "/dist-packages/", "/node_modules/"];
/// Crates that come with Rust.
const RUST_CRATES: &[&str] = &[
    "std",
    "core",
    "alloc",
    "proc_macro",
    "test",
    "backtrace_rs",
    "panic_unwind",
    "panic_abort",
    "compiler_builtins",
    "hashbrown",
    "std_detect",
    "rustc_demangle",
    "addr2line",
    "gimli",
    "object",
    "miniz_oxide",
    "adler2",
    "memchr",
    "__rustc",
];
/// How functions begin that start a program or belong to a language's runtime, where only their name is known.
const FOREIGN_NAMES: &[&str] = &[
    "_start",
    "__libc_",
    "__GI_",
    "_IO_",
    "__pthread_",
    "__gxx_",
    "__cxa_",
    "_Unwind_",
    "std::",
    "__gnu_cxx::",
    "operator new",
    "operator delete",
    "runtime.",
    "internal/runtime",
    "syscall.",
];

/// Whether a library, or an executable that is none of the program's, is mapped from this path.
pub(super) fn is_foreign_library(path: &str) -> bool {
    FOREIGN_LIBRARIES.iter().any(|prefix| path.starts_with(prefix))
        || INSTALLED.iter().any(|part| path.contains(part))
        || path.starts_with('[')
}

/// Whether a source file is not the program's own.
pub(super) fn is_foreign_source(file: &str) -> bool {
    FOREIGN_SOURCES.iter().any(|part| file.contains(part))
        // As C libraries are built: relative to a directory that is gone.
        || ["../sysdeps/", "./nptl/", "../nptl/", "library/std/", "library/core/", "library/alloc/"]
            .iter()
            .any(|prefix| file.starts_with(prefix))
}

/// Whether a function is the program's own, where nothing but its name is known. `crates`: the program's own crates,
/// where it is written in Rust.
pub(super) fn is_own_name(name: &str, crates: &[String]) -> bool {
    if crates.is_empty() {
        return !name.is_empty() && !FOREIGN_NAMES.iter().any(|prefix| name.starts_with(prefix));
    }
    crates_of(name).any(|part| crates.iter().any(|own| own == part))
}

/// Whether a function of Go is in a package of the program's own module, or in its main package.
pub(super) fn is_own_package(function: &str, module: Option<&str>) -> bool {
    // `path/of/package.(*Type).method`; dots in the last part of a path are escaped.
    let last = function.rfind('/').map_or(0, |slash| slash + 1);
    let package = &function[..last + function[last..].find('.').unwrap_or(0)];
    let in_module = |module: &str| {
        package.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    package == "main" || module.is_some_and(in_module)
}

/// The crates a name of Rust begins with: that of its path, or those of a type and of the trait it implements.
fn crates_of(name: &str) -> impl Iterator<Item = &str> {
    let (subject, of) = match name.strip_prefix('<') {
        Some(rest) => rest.split_once(" as ").unwrap_or((rest, "")),
        None => (name, ""),
    };
    [subject, of].into_iter().filter_map(|path| {
        let path = path.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let path = ["mut ", "dyn ", "const "]
            .iter()
            .fold(path, |path, word| path.strip_prefix(word).unwrap_or(path));
        let (first, _) = path.split_once("::")?;
        Some(first).filter(|first| first.chars().all(|c| c.is_alphanumeric() || c == '_'))
    })
}

/// The crate a program's `main` is in: of those that define one, that which is named as the executable is, or else
/// the only one. `names` are all its names as a linker sees them.
pub(super) fn main_crates<'n>(names: impl Iterator<Item = &'n str>, executable: &str) -> Vec<String> {
    let expected = executable.rsplit('/').next().unwrap_or(executable).replace('-', "_");
    let mut found: Vec<String> = names
        .filter(|name| name.contains("4main"))
        .filter_map(|name| rustc_demangle::try_demangle(name).ok())
        .filter_map(|name| {
            let name = format!("{name:#}");
            let (first, rest) = name.split_once("::")?;
            (rest == "main" && !RUST_CRATES.contains(&first)).then(|| first.to_owned())
        })
        .collect();
    found.sort();
    found.dedup();
    if found.contains(&expected) {
        found.retain(|name| *name == expected);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_libraries_are_told_from_the_programs_own() {
        for foreign in [
            "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/thread/mod.rs",
            "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f/tokio-1.0.0/src/park.rs",
            "/opt/rust/lib/rustlib/src/rust/library/core/src/ops/function.rs",
            "/home/me/project/vendor/zlib/inflate.c",
            "../sysdeps/unix/sysv/linux/read.c",
            "./nptl/futex-internal.c",
            "/usr/include/c++/12/bits/stl_vector.h",
        ] {
            assert!(is_foreign_source(foreign), "{foreign}");
        }
        for own in ["/home/me/project/src/main.rs", "src/lib.rs", "/srv/server/store.cc"] {
            assert!(!is_foreign_source(own), "{own}");
        }
    }

    #[test]
    fn crates_are_told_by_names() {
        let own = ["etl".to_owned()];
        for name in [
            "etl::load",
            "etl::main::{{closure}}",
            "<etl::Row as core::fmt::Display>::fmt",
            "<&mut etl::Rows as core::iter::Iterator>::next",
            "<alloc::vec::Vec<u8> as etl::Sink>::put",
            "<etl::Row>::new",
        ] {
            assert!(is_own_name(name, &own), "{name}");
        }
        for name in
            ["std::thread::sleep", "serde::de::visit", "read", "<[u8] as core::fmt::Debug>::fmt", "main", ""]
        {
            assert!(!is_own_name(name, &own), "{name}");
        }
        assert!(is_own_name("main", &[]) && is_own_name("parse(char const*)", &[]));
        assert!(!is_own_name("__libc_start_main_impl", &[]) && !is_own_name("std::thread::join()", &[]));
    }

    #[test]
    fn packages_are_told_by_names() {
        let module = Some("example.org/etl");
        for name in ["main.main.func1", "example.org/etl.Run", "example.org/etl/store.(*Disk).Put"] {
            assert!(is_own_package(name, module), "{name}");
        }
        for name in
            ["runtime.main", "os.(*File).Read", "example.org/etlx.Run", "example.org/other/main.F", ""]
        {
            assert!(!is_own_package(name, module), "{name}");
        }
    }

    #[test]
    fn the_main_crate_defines_main() {
        let names = ["main", "_ZN3etl4main17h0123456789abcdefE", "_ZN7helpers4main17h0123456789abcdefE"];
        assert_eq!(main_crates(names.into_iter(), "/opt/etl"), ["etl"]);
        assert_eq!(main_crates(names.into_iter(), "/opt/other"), ["etl", "helpers"]);
        assert!(main_crates(["main"].into_iter(), "/opt/c").is_empty());
    }

    #[test]
    fn libraries_of_the_system_are_not_the_programs_own() {
        assert!(is_foreign_library("/usr/lib/x86_64-linux-gnu/libc.so.6") && is_foreign_library("[vdso]"));
        assert!(is_foreign_library("/home/me/venv/lib/python3.12/site-packages/numpy/core.so"));
        assert!(!is_foreign_library("/home/me/project/target/release/etl"));
    }
}
