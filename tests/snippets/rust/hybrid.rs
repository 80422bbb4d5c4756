//! {strategy: hybrid}

async fn fetch(item: u64) -> String {
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    item.to_string()
}

fn parse(text: String) -> u64 {
    text.bytes().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'))
}

#[tokio::test]
async fn fetched_on_a_loop_and_computed_on_threads() -> Result<(), Box<dyn std::error::Error>> {
    let items: Vec<u64> = (0..40).collect();
// The advice:
use futures::StreamExt;

let computers = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
let results: Vec<_> = futures::stream::iter(items)
    .map(fetch)
    .buffer_unordered(4)
    .map(|fetched| {
        let (send, computed) = tokio::sync::oneshot::channel();
        computers.spawn(move || {
            let _ = send.send(parse(fetched));
        });
        computed
    })
    .buffer_unordered(6) // so many are fetched and not yet computed, and no more
    .map(|computed| computed.expect("computing panicked"))
    .collect()
    .await;
// So far the advice.
    let mut results = results;
    results.sort_unstable();
    assert_eq!(results, (0..40).collect::<Vec<u64>>());
    Ok(())
}
