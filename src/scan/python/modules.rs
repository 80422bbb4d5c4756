//! Files and the modules they are. Knows paths and dots, no syntax.

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
pub fn absolute(here: &str, in_package: bool, level: u32, module: &str) -> Option<String> {
    if level == 0 {
        return Some(module.to_owned());
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
    Some(parts.join("."))
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
}
