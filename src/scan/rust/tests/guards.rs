//! Guards: how long they live, and what happens meanwhile.

use super::check_one;

#[test]
fn guards_across_awaits() {
    check_one(
        r#"
use std::sync::{Arc, Mutex, RwLock};
struct State { count: Mutex<u32>, names: RwLock<Vec<String>>, slow: tokio::sync::Mutex<u32>, fast: parking_lot::Mutex<u32> }
async fn other() {}
async fn bound(state: Arc<State>) {
    let mut count = state.count.lock().unwrap(); //~ lock-guard-across-await
    *count += 1;
    other().await;
}
async fn read(state: &State) {
    let names = state.names.read().unwrap(); //~ lock-guard-across-await
    other().await;
    println!("{}", names.len());
}
async fn matched(state: &State) {
    match *state.count.lock().unwrap() { //~ lock-guard-across-await
        0 => other().await,
        _ => {}
    }
}
async fn if_let(state: &State) {
    if let Ok(guard) = state.count.lock() { //~ lock-guard-across-await
        other().await;
        drop(guard);
    }
}
async fn parking(state: &State) {
    let guard = state.fast.lock(); //~ lock-guard-across-await
    other().await;
    drop(guard);
}
async fn of_tokio(state: &State) {
    let guard = state.slow.lock().await; //~ async-guard-across-await
    other().await;
    drop(guard);
}
async fn early(state: &State, stop: bool) {
    let guard = state.count.lock().unwrap(); //~ lock-guard-across-await
    if stop { drop(guard); return; }
    other().await;
}
async fn cell(cell: &std::cell::RefCell<u32>) {
    let value = cell.borrow_mut(); //~ refcell-borrow-across-await
    other().await;
    drop(value);
}
async fn moved(state: &State) {
    let guard = state.count.lock().unwrap(); //~ lock-guard-across-await
    let renamed = guard;
    other().await;
    drop(renamed);
}
"#,
    );
}

#[test]
fn guards_that_end_in_time() {
    check_one(
        r#"
use std::sync::{Arc, Mutex};
struct State { count: Mutex<u32>, slow: tokio::sync::Mutex<u32> }
async fn other() {}
fn consume(_guard: std::sync::MutexGuard<'_, u32>) {}
async fn dropped(state: Arc<State>) { let guard = state.count.lock().unwrap(); drop(guard); other().await; }
async fn scoped(state: Arc<State>) { { let mut guard = state.count.lock().unwrap(); *guard += 1; } other().await; }
async fn temporary(state: Arc<State>) { *state.count.lock().unwrap() += 1; other().await; }
async fn copied(state: Arc<State>) { let count = *state.count.lock().unwrap(); other().await; println!("{count}"); }
async fn given(state: Arc<State>) { let guard = state.count.lock().unwrap(); consume(guard); other().await; }
async fn condition(state: Arc<State>) { if *state.count.lock().unwrap() == 0 { other().await; } }
async fn block(state: Arc<State>) { let n = { let guard = state.count.lock().unwrap(); *guard }; other().await; println!("{n}"); }
async fn branches(state: Arc<State>, stop: bool) {
    let guard = state.count.lock().unwrap();
    if stop { drop(guard); } else { drop(guard); }
    other().await;
}
async fn awaited_lock(state: Arc<State>) { let n = *state.slow.lock().await; other().await; println!("{n}"); }
async fn closure(state: Arc<State>) {
    let add = |n: u32| { *state.count.lock().unwrap() += n; };
    add(1);
    other().await;
}
fn no_async(state: &State) { let guard = state.count.lock().unwrap(); drop(guard); }
async fn spawned(state: Arc<State>) {
    let guard = state.count.lock().unwrap();
    let task = async { other().await };
    drop(guard);
    task.await;
}
"#,
    );
}

#[test]
fn the_same_lock_twice() {
    check_one(
        r#"
use std::sync::{Mutex, RwLock};
struct State { a: Mutex<u32>, b: Mutex<u32>, r: RwLock<u32> }
impl State {
    fn twice(&self) {
        let first = self.a.lock().unwrap();
        let second = self.a.lock().unwrap(); //~ double-lock
        drop((first, second));
    }
    fn through_a_method(&self) {
        let guard = self.a.lock().unwrap();
        self.bump(); //~ double-lock
        drop(guard);
    }
    fn bump(&self) { *self.a.lock().unwrap() += 1; }
    fn after(&self) { let guard = self.a.lock().unwrap(); drop(guard); self.bump(); }
    fn two_locks(&self) { let x = self.a.lock().unwrap(); let y = self.b.lock().unwrap(); drop((x, y)); }
    fn try_it(&self) { let x = self.a.lock().unwrap(); let _y = self.a.try_lock(); drop(x); }
    fn readers(&self) { let x = self.r.read().unwrap(); let y = self.r.read().unwrap(); drop((x, y)); }
    fn other(&self, other: &Self) { let x = self.a.lock().unwrap(); let y = other.a.lock().unwrap(); drop((x, y)); }
    fn in_else(&self) {
        if let Some(n) = self.a.lock().unwrap().checked_add(1) {
            println!("{n}");
        } else {
            *self.a.lock().unwrap() = 0; //~ if-let-mutex
        }
    }
}
"#,
    );
}

#[test]
fn two_locks_in_both_orders() {
    check_one(
        r#"
use std::sync::{Arc, Mutex};
struct State { a: Mutex<u32>, b: Mutex<u32>, c: Mutex<u32> }
impl State {
    fn ab(&self) { let x = self.a.lock().unwrap(); let y = self.b.lock().unwrap(); drop((x, y)); }
    fn ba(&self) { let y = self.b.lock().unwrap(); self.take_a(); drop(y); } //~ lock-order-inversion
    fn take_a(&self) { *self.a.lock().unwrap() += 1; }
    fn ac(&self) { let x = self.a.lock().unwrap(); let y = self.c.lock().unwrap(); drop((x, y)); }
    fn bc(&self) { let x = self.b.lock().unwrap(); let y = self.c.lock().unwrap(); drop((x, y)); }
}
fn threads() {
    let left = Arc::new(Mutex::new(1));
    let right = Arc::new(Mutex::new(2));
    let (l, r) = (left.clone(), Arc::clone(&right));
    let handle = std::thread::spawn(move || {
        let x = l.lock().unwrap();
        let y = r.lock().unwrap();
        println!("{x}{y}");
    });
    let y = right.lock().unwrap();
    let x = left.lock().unwrap(); //~ lock-order-inversion
    println!("{x}{y}");
    drop((x, y));
    handle.join().unwrap();
}
"#,
    );
}

#[test]
fn guards_that_guard_nothing() {
    check_one(
        r"
use std::sync::Mutex;
fn thrown(lock: &Mutex<u32>) { let _ = lock.lock(); } //~ let-underscore-lock
fn kept(lock: &Mutex<u32>) { let _guard = lock.lock().unwrap(); }
fn value(lock: &Mutex<u32>) { let _ = lock.lock().unwrap().checked_add(1); }
",
    );
}

#[test]
fn waits_while_a_lock_is_held() {
    check_one(
        r#"
use std::sync::Mutex;
use std::time::Duration;
struct State { cache: Mutex<Vec<u8>>, peer: Mutex<std::net::TcpStream> }
impl State {
    fn direct(&self) {
        let cache = self.cache.lock().unwrap();
        std::thread::sleep(Duration::from_secs(1)); //~ blocking-under-lock
        drop(cache);
    }
    fn below(&self) {
        let mut cache = self.cache.lock().unwrap();
        *cache = fetch(); //~ blocking-under-lock
    }
    fn before(&self) {
        let fetched = fetch();
        *self.cache.lock().unwrap() = fetched;
    }
    fn guarded_itself(&self, buffer: &mut [u8]) {
        use std::io::Read;
        let mut peer = self.peer.lock().unwrap();
        peer.read_exact(buffer).unwrap();
    }
}
fn fetch() -> Vec<u8> { reqwest::blocking::get("u").unwrap().bytes().unwrap().to_vec() }
"#,
    );
}
