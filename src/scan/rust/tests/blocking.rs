//! What blocks an event loop, and what only looks like it.

use super::{check, check_one, observe};
use crate::finding::Mitigation;

#[test]
fn imported_and_renamed_functions() {
    check_one(
        r#"
use std::thread::{self, sleep as nap, sleep};
use std::{fs, time::Duration};
async fn a() { sleep(Duration::from_secs(1)); } //~ blocking-call-in-async
async fn b() { nap(Duration::from_secs(1)); } //~ blocking-call-in-async
async fn c() { thread::sleep(Duration::from_secs(1)); } //~ blocking-call-in-async
async fn d() { let _text = fs::read_to_string("x"); } //~ blocking-call-in-async
async fn e() { tokio::time::sleep(Duration::from_secs(1)).await; }
fn f() { sleep(Duration::from_secs(1)); }
mod own { pub fn sleep() {} }
async fn g() { use own::sleep; sleep(); }
"#,
    );
}

#[test]
fn methods_on_typed_receivers() {
    check_one(
        r#"
use std::path::{Path, PathBuf};
use std::process::Command;
use std::io::Read;
use std::sync::Arc;
struct Paths { root: PathBuf }
struct State { paths: Arc<Paths>, files: Vec<PathBuf> }
async fn parameter(path: &Path) -> bool { path.exists() } //~ blocking-call-in-async
async fn field(state: Arc<State>) -> bool { state.paths.root.is_dir() } //~ blocking-call-in-async
async fn builder() { let _ = Command::new("git").arg("x").status(); } //~ blocking-call-in-async
async fn local() {
    let mut file = std::fs::File::open("x").unwrap(); //~ blocking-call-in-async
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap(); //~ blocking-call-in-async
}
async fn elements(state: &State) {
    for file in &state.files {
        let _ = file.metadata(); //~ blocking-call-in-async
    }
    let _n = state.files.iter().filter(|file| file.exists()).count(); //~ blocking-call-in-async
}
async fn client() {
    let client = reqwest::blocking::Client::new();
    let _ = client.get("u").send().unwrap(); //~ blocking-call-in-async
}
async fn channel() {
    let (_tx, rx) = std::sync::mpsc::channel::<u32>(); //~ unbounded-channel
    let _ = rx.recv(); //~ blocking-call-in-async
}
async fn join(handle: std::thread::JoinHandle<()>) { handle.join().unwrap(); } //~ blocking-call-in-async
impl State {
    fn path(&self) -> &Path { &self.paths.root }
    async fn own(&self) -> bool { self.path().exists() } //~ blocking-call-in-async
}
struct Other;
impl Other { fn exists(&self) -> bool { true } fn status(&self) {} }
async fn innocent(other: Other) -> bool { other.status(); other.exists() }
async fn unknown<T>(it: T) where T: std::fmt::Debug { println!("{it:?}") }
"#,
    );
}

#[test]
fn helpers_are_followed_and_offloads_are_not() {
    check_one(
        r#"
use tokio::task;
fn outer() -> String { inner() }
fn inner() -> String { std::fs::read_to_string("x").unwrap() } //~ blocking-call-in-async
async fn start() -> String { outer() }
fn quiet() -> String { std::fs::read_to_string("y").unwrap() }
async fn offloaded() {
    task::spawn_blocking(|| quiet()).await.unwrap();
    task::spawn_blocking(quiet).await.unwrap();
    task::block_in_place(|| quiet());
    task::block_in_place(move || { let _ = std::fs::read("z"); });
    let work = move || std::fs::read("z");
    task::spawn_blocking(work).await.unwrap();
    let _handle = std::thread::spawn(|| { quiet(); });
    rayon::spawn(|| { quiet(); });
}
async fn on_handle(handle: tokio::runtime::Handle) {
    handle.spawn_blocking(|| quiet()).await.unwrap();
}
async fn asyncify<F, T>(f: F) -> T where F: FnOnce() -> T + Send + 'static, T: Send + 'static {
    task::spawn_blocking(f).await.unwrap()
}
async fn wrapped() { asyncify(|| quiet()).await; }
fn apply<T>(f: impl FnOnce() -> T) -> T { f() }
async fn applied() { apply(|| std::fs::read("z")); } //~ blocking-call-in-async
"#,
    );
}

#[test]
fn a_chain_is_told_once_with_its_callers() {
    let seen = observe(&[(
        "src/lib.rs",
        "fn load() { std::fs::read(\"x\").unwrap(); }\nfn via() { load() }\n\
         async fn a() { load() }\nasync fn b() { via() }\nasync fn c() { via() }\n",
    )]);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].reached_from, seen[0].chains.len()), (3, 3));
    assert_eq!(&*seen[0].subject, "std::fs::read");
    assert!(seen[0].chains[0][0].function.ends_with("::a"));
}

#[test]
fn macros_carry_code() {
    check_one(
        r#"
async fn a() { println!("{}", std::fs::read_to_string("y").unwrap()); } //~ blocking-call-in-async
async fn b() { let _x = vec![std::fs::read("z")]; } //~ blocking-call-in-async
async fn other() {}
async fn c() {
    tokio::select! {
        _ = other() => { std::fs::read("z").unwrap(); } //~ blocking-call-in-async
        else => {}
    }
    tokio::join!(other(), async { std::fs::read("q").unwrap(); }); //~ blocking-call-in-async
}
fn d() -> impl futures::Stream<Item = u32> {
    async_stream::stream! {
        std::thread::sleep(std::time::Duration::from_secs(1)); //~ blocking-call-in-async
        yield 1;
    }
}
cfg_rt! {
    async fn e() { std::fs::read("z").unwrap(); } //~ blocking-call-in-async
}
"#,
    );
}

#[test]
fn running_a_loop_inside_of_a_loop() {
    check_one(
        r"
async fn work() {}
async fn a() { futures::executor::block_on(work()); } //~ block-on-in-async
async fn b() { tokio::runtime::Handle::current().block_on(work()); } //~ block-on-in-async
async fn c(mut rx: tokio::sync::mpsc::Receiver<u32>) { rx.blocking_recv(); } //~ block-on-in-async
async fn d() {
    let rt = tokio::runtime::Runtime::new().unwrap(); //~ nested-runtimes
    rt.block_on(work()); //~ block-on-in-async
}
fn main() { tokio::runtime::Runtime::new().unwrap().block_on(work()); }
fn helper() { futures::executor::block_on(work()); } //~ block-on-in-async
async fn e() { helper(); }
",
    );
}

#[test]
fn traits_with_one_implementation() {
    check_one(
        r#"
trait Store { fn load(&self) -> Vec<u8>; async fn fetch(&self) -> Vec<u8> { self.load() } }
struct Disk;
impl Store for Disk { fn load(&self) -> Vec<u8> { std::fs::read("x").unwrap() } } //~ blocking-call-in-async
async fn use_it(store: &dyn Store) { store.load(); }
async fn use_generic<S: Store>(store: S) { store.load(); }
"#,
    );
}

#[test]
fn circumstances_are_told() {
    let seen = observe(&[(
        "src/lib.rs",
        r#"
async fn error() { if let Err(_e) = work() { std::fs::write("log", "x").ok(); } }
fn work() -> Result<(), ()> { Ok(()) }
static CELL: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
async fn once() { CELL.get_or_init(|| std::fs::read("x").unwrap()); }
#[cfg(test)]
mod tests { async fn t() { std::fs::read("x").unwrap(); } }
"#,
    )]);
    let told: Vec<&[Mitigation]> = seen.iter().map(|seen| seen.mitigations.as_slice()).collect();
    assert_eq!(told, [&[Mitigation::ErrorPath][..], &[Mitigation::FirstCallOnly], &[Mitigation::Test]]);
}

#[test]
fn rayon_on_a_worker_of_tokio() {
    check(&[(
        "src/main.rs",
        r"
use rayon::prelude::*;
async fn sum(numbers: Vec<u64>) -> u64 { numbers.par_iter().map(|n| n + 1).sum() } //~ rayon-in-async
fn plain(numbers: Vec<u64>) -> u64 { numbers.par_iter().sum() }
async fn away(numbers: Vec<u64>) -> u64 { tokio::task::spawn_blocking(move || plain(numbers)).await.unwrap() }
",
    )]);
}

#[test]
fn sleeping_is_mended_where_that_is_safe() {
    let fixed = |text: &str| {
        let observations = observe(&[("src/lib.rs", text)]);
        let fix = observations.iter().find_map(|seen| seen.fix.clone())?;
        let mut fixed = text.to_owned();
        for edit in fix.edits.iter().rev() {
            fixed.replace_range(edit.bytes.0 as usize..edit.bytes.1 as usize, &edit.text);
        }
        Some(fixed)
    };
    let ticks = "async fn tick() { tokio::time::interval(SECOND).tick().await; }\n";
    let sleeps = |before: &str| {
        format!("use std::thread;\nasync fn f() {{ {before} thread::sleep(SECOND); }}\n{ticks}")
    };
    assert_eq!(
        fixed(&sleeps("")).unwrap(),
        sleeps("").replace("thread::sleep(SECOND)", "tokio::time::sleep(SECOND).await")
    );
    let scoped = sleeps("{ let mut all = all.lock().unwrap(); all.push(1); }");
    let scoped = scoped.replace("fn f()", "fn f(all: std::sync::Mutex<Vec<u8>>)");
    assert!(fixed(&scoped).is_some());
    for left_alone in [
        // Nothing says that this runs on tokio with its timers.
        sleeps("").replace(ticks, ""),
        sleeps("").replace(
            ticks,
            "fn f() {} #[cfg(test)] mod tests { async fn t() { tokio::time::sleep(D).await } }",
        ),
        // A guard would live across the new await.
        sleeps("let mut all = all.lock().unwrap();")
            .replace("fn f()", "fn f(all: std::sync::Mutex<Vec<u8>>)"),
        // Whoever calls a plain function cannot await in it.
        sleeps("g(); } fn g() {").replace("use", "use tokio::time::sleep as _; use"),
        sleeps("let wait = || {").replace("); }", "); }; wait(); }"),
        // Milliseconds as a number are something else.
        sleeps("").replace("sleep(SECOND)", "sleep_ms(5)"),
        // In the tokens of a macro nothing is known of what they become.
        sleeps("").replace("thread::sleep(SECOND);", "run!(thread::sleep(SECOND));"),
    ] {
        assert_eq!(fixed(&left_alone), None, "{left_alone}");
    }
}
