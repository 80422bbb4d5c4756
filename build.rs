//! Embeds every YAML file under `rules/`, so that adding a rule is adding a file.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let missing = |name: &str| io::Error::other(format!("cargo does not say {name}"));
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| missing("CARGO_MANIFEST_DIR"))?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| missing("OUT_DIR"))?);
    let mut files = Vec::new();
    list(&root.join("rules"), &mut files)?;
    // The order of a directory is not the same everywhere; the binary should be.
    files.sort();
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
    println!("cargo::rerun-if-changed=rules");
    Ok(())
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
