//! Tasks, loops, channels, `select!`, and awaits in a row.

use super::check_one;

#[test]
fn handles_and_futures_that_are_thrown_away() {
    check_one(
        r#"
async fn work() {}
async fn fails() -> Result<(), std::io::Error> { Ok(()) }
async fn a() { tokio::spawn(work()); } //~ spawn-handle-dropped
async fn b() { tokio::spawn(async move { work().await; }); } //~ spawn-handle-dropped
async fn c() { let handle = tokio::spawn(work()); handle.await.unwrap(); }
async fn d() { let mut set = tokio::task::JoinSet::new(); set.spawn(work()); while set.join_next().await.is_some() {} }
async fn e(listener: tokio::net::TcpListener) { loop { let _s = listener.accept().await; tokio::spawn(work()); } }
async fn f() { loop { work().await; tokio::spawn(fails()); } } //~ spawn-handle-dropped
async fn g() { let _ = work(); } //~ let-underscore-future
async fn h() { let _ = work().await; }
fn child() { let child = std::process::Command::new("x").spawn().unwrap(); println!("{}", child.id()); } //~ zombie-process
fn waited() { let mut child = std::process::Command::new("x").spawn().unwrap(); child.wait().unwrap(); }
fn forgotten() -> std::io::Result<()> { std::process::Command::new("x").spawn()?; Ok(()) } //~ zombie-process
fn given() -> std::process::Child { let child = std::process::Command::new("x").spawn().unwrap(); child }
"#,
    );
}

#[test]
fn loops_that_keep_the_worker() {
    check_one(
        r"
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
async fn poll(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) { //~ poll-loop
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
async fn spin(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) { //~ cpu-loop-in-async
        std::hint::spin_loop();
    }
}
async fn sum() -> u64 {
    let mut sum = 0u64;
    for i in 0..100_000_000u64 { //~ cpu-loop-in-async
        sum = sum.wrapping_add(i * i);
    }
    sum
}
async fn matrix(n: usize, a: &[Vec<f64>], b: &[Vec<f64>], c: &mut [Vec<f64>]) {
    for i in 0..n { //~ cpu-loop-in-async
        for j in 0..n {
            for k in 0..n {
                c[i][j] += a[i][k] * b[k][j];
            }
        }
    }
}
async fn small(items: &[u32]) -> u32 { let mut n = 0; for item in items { n += item * 2; } for i in 0..10 { n += i; } n }
async fn polite() { for i in 0..100_000_000u64 { if i % 1000 == 0 { tokio::task::yield_now().await; } } }
fn plain() -> u64 { let mut n = 0; for i in 0..100_000_000u64 { n ^= i * i; } n }
async fn retry() -> u32 {
    loop {
        if let Some(n) = ask().await { return n; }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
async fn ask() -> Option<u32> { None }
",
    );
}

#[test]
fn channels_and_locks_around_numbers() {
    check_one(
        r"
use std::sync::Mutex;
fn a() { let (_tx, _rx) = tokio::sync::mpsc::unbounded_channel::<u32>(); } //~ unbounded-channel
fn b() { let (_tx, _rx) = tokio::sync::mpsc::channel::<u32>(8); }
fn c() { let (_tx, _rx) = crossbeam_channel::unbounded::<u32>(); } //~ unbounded-channel
struct Counters {
    hits: Mutex<u64>, //~ mutex-atomic
    names: Mutex<Vec<String>>,
}
",
    );
}

#[test]
fn what_select_drops() {
    check_one(
        r"
use tokio::io::AsyncReadExt;
async fn other() {}
async fn a(mut stream: tokio::net::TcpStream) {
    let mut head = [0; 8];
    loop {
        tokio::select! {
            _ = stream.read_exact(&mut head) => {} //~ select-cancel-unsafe
            _ = other() => break,
        }
    }
}
async fn b(mut stream: tokio::net::TcpStream) {
    let mut head = [0; 8];
    loop {
        tokio::select! { _ = stream.read(&mut head) => {}, _ = other() => break, }
    }
}
async fn c(mut stream: tokio::net::TcpStream) {
    let mut head = [0; 8];
    tokio::select! { _ = stream.read_exact(&mut head) => {}, _ = other() => {} }
}
",
    );
}

#[test]
fn awaits_in_a_row() {
    check_one(
        r"
struct Api;
impl Api {
    async fn get_user(&self, id: u32) -> u32 { id }
    async fn get_posts(&self, id: u32) -> u32 { id }
    async fn get_next(&mut self) -> u32 { 0 }
}
async fn a(api: &Api, id: u32) -> (u32, u32) {
    let user = api.get_user(id).await; //~ sequential-awaits
    let posts = api.get_posts(id).await;
    (user, posts)
}
async fn b(api: &Api) -> u32 { let user = api.get_user(1).await; let posts = api.get_posts(user).await; posts }
async fn c(api: &mut Api) -> u32 { let x = api.get_next().await; let y = api.get_next().await; x + y }
async fn d(api: &Api) -> (u32, u32) { tokio::join!(api.get_user(1), api.get_posts(1)) }
async fn save_it(n: u32) -> u32 { n }
async fn e() -> u32 { let x = save_it(1).await; let y = save_it(2).await; x + y }
",
    );
}
