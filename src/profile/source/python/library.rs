//! Which source files are the program's own and which belong to a library or to Python itself. Pure: told by the path
//! alone.

/// Directories that installers put libraries into.
const INSTALLED: &[&str] = &["/site-packages/", "/dist-packages/", "/installed_wheels/", "/__pypackages__/"];

/// Tells own files from those of libraries, for one version of Python.
#[derive(Debug, Clone)]
pub(super) struct Library {
    /// Where the standard library lies below any prefix, as a directory or as an archive.
    standard: Vec<String>,
}

impl Library {
    /// The rule for a version.
    pub(super) fn of(version: (u8, u8)) -> Self {
        let (major, minor) = version;
        let standard = ["lib", "lib64"]
            .iter()
            .flat_map(|lib| ["", "t"].map(|threads| format!("/{lib}/python{major}.{minor}{threads}/")))
            .chain([format!("/python{major}{minor}.zip/")])
            .collect();
        Self { standard }
    }

    /// Whether a file is the program's own. What was compiled from a string or typed in is.
    pub(super) fn is_own(&self, file: &str) -> bool {
        let installed = INSTALLED.iter().any(|directory| file.contains(directory));
        let standard = self.standard.iter().any(|directory| file.contains(directory.as_str()));
        !(installed || standard || file.starts_with("<frozen "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_own_unless_it_was_installed_or_came_with_python() {
        let library = Library::of((3, 11));
        for own in
            ["etl.py", "/srv/app/etl.py", "<string>", "<stdin>", "/srv/app.pyz/__main__.py", "/lib/x.py"]
        {
            assert!(library.is_own(own), "{own}");
        }
        for foreign in [
            "/usr/lib/python3.11/threading.py",
            "/usr/lib64/python3.11/threading.py",
            "/opt/python/lib/python3.11t/threading.py",
            "/opt/embedded/python311.zip/threading.py",
            "/srv/venv/lib/python3.11/site-packages/requests/api.py",
            "/usr/lib/python3/dist-packages/yaml/reader.py",
            "<frozen importlib._bootstrap>",
        ] {
            assert!(!library.is_own(foreign), "{foreign}");
        }
    }
}
