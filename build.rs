//! Embeds every YAML file under `rules/`, so that adding a rule is adding a file, and says what boundby is made of, so that
//! a cache is never read by a boundby that would have written something else.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let missing = |name: &str| io::Error::other(format!("cargo does not say {name}"));
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| missing("CARGO_MANIFEST_DIR"))?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| missing("OUT_DIR"))?);
    let files = list(&root.join("rules"), "yaml")?;
    let mut code = String::from("&[\n");
    for file in &files {
        let not_text = || io::Error::other(format!("{} is not UTF-8", file.display()));
        let path = file.to_str().ok_or_else(not_text)?;
        let relative = file.strip_prefix(&root).map_err(io::Error::other)?.to_str().ok_or_else(not_text)?;
        let name = relative.replace('\\', "/");
        writeln!(code, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    code.push_str("]\n");
    fs::write(out.join("rules.rs"), code)?;
    let mut made_of = DefaultHasher::new();
    let sources = list(&root.join("src"), "rs")?;
    for file in files.iter().chain(&sources).chain([&root.join("Cargo.lock")]) {
        // An installed package may come without its lock file.
        made_of.write(&fs::read(file).unwrap_or_default());
    }
    println!("cargo::rustc-env=BOUNDBY_BUILD={}-{:016x}", env!("CARGO_PKG_VERSION"), made_of.finish());
    for input in ["rules", "src", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={input}");
    }
    Ok(())
}

/// The files below a directory that end so. The order of a directory is not the same everywhere; the binary should be.
fn list(directory: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                open.push(entry?.path());
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
