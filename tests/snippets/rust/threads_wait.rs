//! {strategy: threads, function: fetch_row, given: {cpu.share: 0.1}}

fn fetch_row(item: &u64) -> u64 {
    std::thread::sleep(std::time::Duration::from_millis(2));
    item * 2
}

#[test]
fn threads_that_wait() {
    let items: Vec<u64> = (0..20).collect();
// The advice:
use std::sync::atomic::{AtomicUsize, Ordering};

// fetch_row: does for one item what etl:42 does
let next = AtomicUsize::new(0);
let one_worker = || {
    let mut done = Vec::new();
    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
        done.push(fetch_row(item));
    }
    done
};
let results: Vec<_> = std::thread::scope(|scope| {
    let workers: Vec<_> = (0..3).map(|_| scope.spawn(one_worker)).collect();
    workers.into_iter().flat_map(|worker| worker.join().expect("a worker panicked")).collect()
});
// So far the advice.
    let mut results = results;
    results.sort_unstable();
    assert_eq!(results, (0..20).map(|item| item * 2).collect::<Vec<u64>>());
}
