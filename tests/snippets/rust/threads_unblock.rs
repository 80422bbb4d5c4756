//! {strategy: threads, action: unblock, function: digest}

fn digest(item: u64) -> u64 {
    (0..1000).fold(item, |sum, step| sum.rotate_left(3) ^ step)
}

async fn handle(item: u64) -> Result<u64, Box<dyn std::error::Error>> {
// The advice:
let (send, computed) = tokio::sync::oneshot::channel();
rayon::spawn(move || {
    let _ = send.send(digest(item)); // an error: nobody waits for it any more
});
let result = computed.await?;
// So far the advice.
    Ok(result)
}

#[tokio::test]
async fn computing_beside_a_loop() {
    assert_eq!(handle(5).await.unwrap(), digest(5));
}
