//! {strategy: threads, function: digest, given: {cpu.share: 0.9}}

fn digest(item: &u64) -> u64 {
    (0..1000).fold(*item, |sum, step| sum.rotate_left(3) ^ step)
}

#[test]
fn threads_that_compute() -> Result<(), Box<dyn std::error::Error>> {
    let items: Vec<u64> = (0..20).collect();
// The advice:
use rayon::prelude::*;

// digest: does for one item what etl:42 does
let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build()?;
let results: Vec<_> = pool.install(|| items.par_iter().map(digest).collect());
// So far the advice.
    assert_eq!(results, items.iter().map(digest).collect::<Vec<u64>>());
    Ok(())
}
