//! Stages one after another, each with its own workers: what a pipeline takes, and which stage to widen.

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Seconds it takes for one item.
    pub time: f64,
    /// Items it works on at once, at least 1.
    pub workers: usize,
}

impl Stage {
    /// Seconds between two items it lets pass.
    #[must_use]
    pub fn pace(&self) -> f64 {
        self.time / self.workers.max(1) as f64
    }
}

/// Items followed one by one; afterwards the slowest stage sets the pace of the rest.
const FOLLOWED: u64 = 10_000;

/// The stage that sets the pace: the first of the slowest.
#[must_use]
pub fn slowest(stages: &[Stage]) -> usize {
    let mut at = 0;
    for (i, stage) in stages.iter().enumerate() {
        if stage.pace() > stages[at].pace() {
            at = i;
        }
    }
    at
}

/// Seconds until `items` items have passed all stages, in order, with room between them.
#[must_use]
pub fn time(stages: &[Stage], items: u64) -> f64 {
    let followed = items.min(FOLLOWED);
    let mut arrives = vec![0.0_f64; followed as usize];
    for stage in stages {
        let workers = stage.workers.max(1);
        for i in 0..arrives.len() {
            let free = if i < workers { 0.0 } else { arrives[i - workers] };
            arrives[i] = arrives[i].max(free) + stage.time;
        }
    }
    let passed = arrives.last().copied().unwrap_or(0.0);
    let pace = stages.get(slowest(stages)).map_or(0.0, Stage::pace);
    passed + (items - followed) as f64 * pace
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(workers: [usize; 3]) -> Vec<Stage> {
        [0.3, 0.4, 0.2].into_iter().zip(workers).map(|(time, workers)| Stage { time, workers }).collect()
    }

    #[test]
    fn the_slowest_stage_sets_the_pace() {
        assert!((time(&stages([1, 1, 1]), 8) - 3.7).abs() < 1e-9);
        assert_eq!(slowest(&stages([1, 1, 1])), 1);
        assert!((time(&stages([1, 2, 1]), 8) - 3.0).abs() < 1e-9);
        assert_eq!(slowest(&stages([1, 2, 1])), 0);
        assert!((time(&stages([1, 1, 1]), 1) - 0.9).abs() < 1e-9);
    }

    #[test]
    fn many_items_take_their_pace_and_no_time_to_reckon() {
        let many = time(&stages([1, 1, 1]), 1_000_000_000);
        assert!((many / 4e8 - 1.0).abs() < 1e-6, "{many}");
    }
}
