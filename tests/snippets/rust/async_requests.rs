//! {strategy: async, function: fetch}

async fn fetch(item: u64) -> u64 {
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    item * 2
}

#[tokio::test]
async fn requests_in_flight() {
    let items: Vec<u64> = (0..20).collect();
// The advice:
use futures::StreamExt;

// fetch: does for one item what etl:42 does
let results: Vec<_> = futures::stream::iter(items).map(fetch).buffer_unordered(3).collect().await;
// So far the advice.
    let mut results = results;
    results.sort_unstable();
    assert_eq!(results, (0..20).map(|item| item * 2).collect::<Vec<u64>>());
}
