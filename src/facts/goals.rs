//! What is wanted of a program and what limits it, stated by whoever knows: as facts beside those of a run or of a
//! description.

use super::{Facts, Origin, Value};

/// Kinds of work that engines for several computers are made for.
pub const WORK_KINDS: [&str; 5] = ["tasks", "arrays", "tables", "stream", "jobs"];

/// Those whose data the computers exchange: joins and groups of tables, and the state of streams by key.
pub const EXCHANGED_KINDS: [&str; 2] = ["tables", "stream"];

/// Goals and limits. `None`: not said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Goals {
    /// Items of the real work, where a run of fewer was measured.
    pub tasks: Option<u64>,
    /// Seconds within which it must be done.
    pub deadline: Option<f64>,
    /// Requests per second.
    pub rate: Option<f64>,
    /// Seconds within which most requests should be answered.
    pub latency: Option<f64>,
    /// Operations to be in flight at once.
    pub concurrency: Option<u64>,
    /// Connections held open at once.
    pub connections: Option<u64>,
    /// Requests the other side takes at once.
    pub downstream: Option<u64>,
    /// Bytes the whole work reads.
    pub data_size: Option<f64>,
    /// Bytes that cross a process boundary for each item.
    pub payload: Option<f64>,
    /// What it works on, one of the kinds of work.
    pub work: Option<String>,
    /// Computers that may be used.
    pub machines: Option<u64>,
}

impl Facts {
    /// States goals and limits.
    pub fn strive(&mut self, goals: &Goals) {
        let count = |number: Option<u64>| number.map(|number| number as f64);
        for (name, value) in [
            ("goal.tasks", count(goals.tasks)),
            ("goal.deadline", goals.deadline),
            ("goal.rate", goals.rate),
            ("goal.latency", goals.latency),
            ("goal.concurrency", count(goals.concurrency)),
            ("goal.connections", count(goals.connections)),
            ("goal.machines", count(goals.machines)),
            ("limit.downstream", count(goals.downstream)),
            ("data.size", goals.data_size),
            ("data.item_bytes", goals.payload),
        ] {
            if let Some(value) = value {
                self.number(name, value, Origin::Declared);
            }
        }
        if let Some(word) = &goals.work {
            self.set("work.kind", Value::Text(word.clone()), Origin::Declared);
        }
    }

    /// A run of as many items as the real work has: the items and what they take grow, the rest of the program stays.
    pub fn scale(&mut self) {
        let number = |name: &str| self.get_number(name);
        let (Some(tasks), Some(items), Some(wall)) =
            (number("goal.tasks"), number("region.n"), number("run.wall"))
        else {
            return;
        };
        if items < 1.0 || wall <= 0.0 {
            return;
        }
        let share = number("region.share").unwrap_or(1.0).clamp(0.0, 1.0);
        let of_items = wall * share * tasks / items;
        let whole = wall * (1.0 - share) + of_items;
        let cpu = number("run.cpu").map(|cpu| cpu * whole / wall);
        self.number("region.n", tasks, Origin::Declared);
        self.number("region.share", of_items / whole, Origin::Predicted);
        self.number("run.wall", whole, Origin::Predicted);
        if let Some(cpu) = cpu {
            self.number("run.cpu", cpu, Origin::Predicted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(share: f64) -> Facts {
        let mut facts = Facts::default();
        for (name, value) in
            [("region.n", 200.0), ("region.share", share), ("run.wall", 10.0), ("run.cpu", 1.0)]
        {
            facts.number(name, value, Origin::Measured);
        }
        facts
    }

    fn scaled(share: f64, tasks: u64) -> (f64, f64) {
        let mut facts = measured(share);
        facts.strive(&Goals { tasks: Some(tasks), ..Goals::default() });
        facts.scale();
        (facts.get_number("run.wall").unwrap(), facts.get_number("region.share").unwrap())
    }

    #[test]
    fn items_grow_and_the_rest_of_the_program_stays() {
        assert_eq!(scaled(1.0, 2000), (100.0, 1.0));
        let (wall, share) = scaled(0.5, 2000);
        assert!((wall - 55.0).abs() < 1e-9 && (share - 50.0 / 55.0).abs() < 1e-9, "{wall} {share}");
        assert_eq!(scaled(0.5, 200), (10.0, 0.5));
    }

    #[test]
    fn what_has_no_items_stays_as_it_is() {
        let mut facts = Facts::default();
        facts.number("run.wall", 10.0, Origin::Measured);
        facts.strive(&Goals { tasks: Some(5), ..Goals::default() });
        facts.scale();
        assert_eq!(facts.get_number("run.wall"), Some(10.0));
        assert_eq!(facts.get_number("goal.tasks"), Some(5.0));
    }
}
