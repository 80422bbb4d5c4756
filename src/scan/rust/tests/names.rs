//! Modules, imports, re-exports and crates of a workspace.

use super::check;

#[test]
fn modules_in_files_and_directories() {
    check(&[
        (
            "src/lib.rs",
            "mod net;\nmod store;\n#[path = \"odd/place.rs\"]\nmod odd;\nmod inline { pub mod deep; }\n",
        ),
        (
            "src/net/mod.rs",
            "use crate::store::load;\nuse super::odd::read as r;\nasync fn go() { load(); r(); crate::inline::deep::x(); }\n",
        ),
        ("src/store.rs", "pub use self::inner::load;\nmod inner;\n"),
        (
            "src/store/inner.rs",
            "pub fn load() {\n    std::fs::read(\"x\").unwrap(); //~ blocking-call-in-async\n}\n",
        ),
        (
            "src/odd/place.rs",
            "pub fn read() {\n    std::fs::read(\"x\").unwrap(); //~ blocking-call-in-async\n}\n",
        ),
        (
            "src/inline/deep.rs",
            "pub fn x() {\n    std::fs::read(\"x\").unwrap(); //~ blocking-call-in-async\n}\n",
        ),
    ]);
}

#[test]
fn crates_of_a_workspace_and_globs() {
    check(&[
        ("crates/my-store/src/lib.rs", "pub mod prelude { pub use crate::disk::*; }\nmod disk;\n"),
        (
            "crates/my-store/src/disk.rs",
            "pub struct Disk;\nimpl Disk {\n    pub fn open() -> std::io::Result<Self> { Ok(Disk) }\n    pub fn load(&self) {\n        \
             std::fs::read(\"x\").unwrap(); //~ blocking-call-in-async\n    }\n}\n",
        ),
        (
            "crates/app/src/main.rs",
            "use my_store::prelude::*;\nasync fn go() -> std::io::Result<()> { let d = Disk::open()?; d.load(); Ok(()) }\nfn main() {}\n",
        ),
    ]);
}

#[test]
fn imports_in_circles_lead_nowhere() {
    check(&[
        ("src/lib.rs", "mod a;\nmod b;\npub use a::*;\npub use b::*;\nasync fn go() { nothing(); }\n"),
        ("src/a.rs", "pub use crate::b::*;\npub use crate::x as y;\npub use crate::y as x;\n"),
        ("src/b.rs", "pub use crate::a::*;\n"),
    ]);
}

#[test]
fn aliases_of_types() {
    check(&[(
        "src/lib.rs",
        "use std::sync::{Arc, Mutex};\ntype Shared<T> = Arc<Mutex<T>>;\ntype Result<T> = std::result::Result<T, ()>;\n\
         struct S { files: Shared<Vec<std::path::PathBuf>> }\nfn make() -> Result<S> { Err(()) }\nasync fn other() {}\n\
         async fn go() -> Result<()> {\n    let s = make()?;\n    let files = s.files.lock().unwrap(); //~ lock-guard-across-await\n    \
         other().await;\n    files[0].exists(); //~ blocking-call-in-async\n    Ok(())\n}\n",
    )]);
}
