//! {strategy: async, action: unblock, function: read}

fn read(item: u64) -> u64 {
    std::thread::sleep(std::time::Duration::from_millis(2));
    item * 2
}

async fn handle(item: u64) -> Result<u64, Box<dyn std::error::Error>> {
// The advice:
use std::sync::Arc;
use tokio::sync::Semaphore;

let limit = Arc::new(Semaphore::new(3)); // one for the program: tokio itself allows 512
let permit = limit.clone().acquire_owned().await?;
let result = tokio::task::spawn_blocking(move || {
    let _permit = permit; // given back when the call is over, even if nobody waits for it any more
    read(item)
})
.await?;
// So far the advice.
    Ok(result)
}

#[tokio::test]
async fn a_blocking_call_beside_a_loop() {
    assert_eq!(handle(5).await.unwrap(), 10);
}
