//! Snippets of Rust. Each stands in a file of its own between two marks, as boundby prints it, so that it is compiled with
//! the tests and run by them; `BLESS=1` writes it there.

use std::fs;

use boundby::rules::RuleSet;

use crate::entry::fixtures;

// Pasted code is laid out as it is printed, and proposes what a lint for libraries may frown upon.
macro_rules! snippets {
    ($($(#[$path:meta])+ $name:ident,)+) => {$(
        $(#[$path])+
        #[rustfmt::skip]
        #[allow(clippy::pedantic)]
        mod $name;
    )+};
}

snippets! {
    #[path = "rust/async_requests.rs"]
    async_requests,
    #[path = "rust/async_unblock.rs"]
    async_unblock,
    #[path = "rust/hybrid.rs"]
    hybrid,
    #[path = "rust/threads_compute.rs"]
    threads_compute,
    #[path = "rust/threads_unblock.rs"]
    threads_unblock,
    #[path = "rust/threads_wait.rs"]
    threads_wait,
}

const BEGIN: &str = "// The advice:\n";
const END: &str = "// So far the advice.\n";

#[test]
fn what_is_compiled_here_is_what_boundby_prints() {
    let rules = RuleSet::builtin().unwrap();
    for fixture in fixtures("tests/snippets/rust") {
        let parts =
            fixture.text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
        let Some((before, (_, after))) = parts else {
            panic!("{}: marks are missing", fixture.path.display())
        };
        let text = format!("{before}{BEGIN}{}\n{END}{after}", fixture.snippet(&rules, "rust"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&fixture.path, &text).unwrap();
        } else {
            assert_eq!(fixture.text, text, "{}: BLESS=1 writes what boundby prints", fixture.path.display());
        }
    }
}
