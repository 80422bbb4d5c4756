//! Servers: how many processes and threads an arrival rate needs, and how long a request then takes.
//!
//! Little's law for the slots, processor sharing for the lock and the cores, Erlang's C formula for the queue before
//! the slots. Arrivals are taken to come at random. Pure arithmetic; coefficients come from the rules.

use super::{Costs, Host, Work};

/// Processes and threads in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Processes.
    pub processes: usize,
    /// Threads of each.
    pub threads: usize,
}

impl Shape {
    /// Requests or tasks it works on at once.
    #[must_use]
    pub fn slots(self) -> usize {
        self.processes.saturating_mul(self.threads)
    }
}

/// What a shape makes of an arrival rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Served {
    /// The shape.
    pub shape: Shape,
    /// Share of the time the busiest of lock and cores is busy; 1 and more cannot keep up.
    pub utilisation: f64,
    /// Requests per second it can serve at most.
    pub most: f64,
    /// Mean time of a request and the time 95 % stay below; `None`: the queue grows without end.
    pub response: Option<(f64, f64)>,
}

/// Slots that an arrival rate keeps busy, and the slots to have: Little's law with room to spare.
#[must_use]
pub fn slots(work: &Work, rate: f64, costs: &Costs) -> (f64, f64) {
    let busy = rate * (work.wait + work.cpu());
    (busy, busy * costs.server_headroom)
}

/// Requests per second that the cores and the locks of `processes` processes can compute at most.
#[must_use]
pub fn most(work: &Work, host: &Host, processes: usize) -> f64 {
    let cores = if work.cpu() > 0.0 { host.cores / work.cpu() } else { f64::INFINITY };
    let locks = if host.gil && work.cpu_gil > 0.0 { processes as f64 / work.cpu_gil } else { f64::INFINITY };
    cores.min(locks)
}

/// Processes whose interpreter locks, busy no more than is wise, compute what arrives: one where there is no such lock, and
/// never more than there are cores and one.
#[must_use]
pub fn locks(work: &Work, host: &Host, rate: f64, costs: &Costs) -> usize {
    let wise = rate * work.cpu_gil / costs.server_utilisation;
    if host.gil { (wise.ceil() as usize).clamp(1, most_processes(host)) } else { 1 }
}

/// One process where there is no interpreter lock, else as many as there are cores and one.
fn most_processes(host: &Host) -> usize {
    if host.gil { host.cores.ceil().max(1.0) as usize + 1 } else { 1 }
}

/// How long requests take that arrive at `rate`.
#[must_use]
pub fn served(work: &Work, host: &Host, shape: Shape, rate: f64, costs: &Costs) -> Served {
    let compute = most(work, host, shape.processes);
    let utilisation = if compute.is_finite() { rate / compute } else { 0.0 };
    let cores_busy = rate * work.cpu() / host.cores;
    // Whoever shares a server with others takes as many times longer as it is busy.
    let on_cores =
        1.0 + erlang_c(host.cores, rate * work.cpu()) / (host.cores * (1.0 - cores_busy).max(1e-9));
    let under_lock = if host.gil && work.cpu_gil > 0.0 {
        let busy = rate * work.cpu_gil / shape.processes.max(1) as f64;
        ((1.0 - busy).max(1e-9)).recip()
    } else {
        1.0
    };
    let service = work.wait + work.cpu_gil * on_cores.max(under_lock) + work.cpu_native * on_cores;
    let slots = shape.slots() as f64;
    let busy = rate * service;
    let most = compute.min(slots / (work.wait + work.cpu()).max(f64::MIN_POSITIVE));
    if utilisation >= 1.0 || busy >= slots {
        return Served { shape, utilisation: utilisation.max(rate / most), most, response: None };
    }
    let queued = erlang_c(slots, busy);
    let drain = service / (slots - busy);
    let tail = if queued > costs.server_tail { (queued / costs.server_tail).ln() * drain } else { 0.0 };
    Served { shape, utilisation, most, response: Some((service + queued * drain, service + tail)) }
}

/// The smallest shape that keeps up and answers in time; else the one that answers soonest.
#[must_use]
pub fn smallest(
    work: &Work,
    host: &Host,
    rate: f64,
    latency: Option<f64>,
    slots_most: Option<f64>,
    costs: &Costs,
) -> Served {
    let allowed = slots_most.unwrap_or(f64::INFINITY).min(costs.max_threads).max(1.0) as usize;
    let processes_most = most_processes(host).min(allowed);
    let first = locks(work, host, rate, costs).min(processes_most);
    let meets = |one: &Served| match (one.response, latency) {
        (Some((_, tail)), Some(latency)) => tail <= latency,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let tail = |one: &Served| one.response.map_or(f64::INFINITY, |(_, tail)| tail);
    let (_, wanted) = slots(work, rate, costs);
    let mut best: Option<Served> = None;
    for processes in first..=processes_most {
        let threads_most = (allowed / processes).max(1);
        let mut threads = ((wanted / processes as f64).ceil() as usize).clamp(1, threads_most);
        loop {
            let one = served(work, host, Shape { processes, threads }, rate, costs);
            if meets(&one) {
                return one;
            }
            if best.is_none_or(|best| tail(&one) < tail(&best)) {
                best = Some(one);
            }
            if threads >= threads_most {
                break;
            }
            // Slots beyond twice what is in flight queue at the CPU instead.
            if threads as f64 * processes as f64 > 4.0 * wanted + 16.0 {
                break;
            }
            threads = (threads + threads.div_ceil(8)).min(threads_most);
        }
    }
    best.unwrap_or_else(|| served(work, host, Shape { processes: first, threads: 1 }, rate, costs))
}

/// Computers that keep up with the rate, each busy no more than is wise.
#[must_use]
pub fn machines(work: &Work, host: &Host, rate: f64, costs: &Costs) -> f64 {
    (rate * work.cpu() / (costs.server_utilisation * host.cores)).ceil().max(1.0)
}

/// Requests on the busiest of `processes` where `requests` are dealt out at random, as by an operating system that
/// hands connections to whoever asks: `m/k + sqrt(2 (m/k) ln k)`.
#[must_use]
pub fn busiest(requests: f64, processes: usize) -> f64 {
    let each = requests / processes.max(1) as f64;
    (each + (2.0 * each * (processes.max(1) as f64).ln()).sqrt()).min(requests)
}

/// Probability that an arrival finds all of `servers` busy, with `load` of them busy on average; for a fractional
/// number of servers between those of its neighbours.
fn erlang_c(servers: f64, load: f64) -> f64 {
    if load <= 0.0 {
        return 0.0;
    }
    if load >= servers {
        return 1.0;
    }
    let whole = |n: usize| {
        if load >= n as f64 {
            return 1.0;
        }
        // Erlang B by its recursion, which stays within 0 and 1.
        let blocked = (1..=n).fold(1.0, |blocked, i| load * blocked / (i as f64 + load * blocked));
        let idle = 1.0 - load / n as f64;
        blocked / (idle + (1.0 - idle) * blocked)
    };
    let (below, part) = (servers.floor() as usize, servers.fract());
    if part == 0.0 { whole(below) } else { whole(below) * (1.0 - part) + whole(below + 1) * part }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    fn costs() -> Costs {
        let rules = RuleSet::builtin().unwrap();
        Costs::read(|name| rules.model(name)).unwrap()
    }

    #[test]
    fn erlang_agrees_with_tables() {
        assert!((erlang_c(1.0, 0.5) - 0.5).abs() < 1e-9);
        assert!((erlang_c(2.0, 1.0) - 1.0 / 3.0).abs() < 1e-9);
        assert!((erlang_c(10.0, 8.0) - 0.409).abs() < 0.001, "{}", erlang_c(10.0, 8.0));
        // A fraction of a server is between its neighbours.
        let (one, part, two) = (erlang_c(1.0, 0.9), erlang_c(1.5, 0.9), erlang_c(2.0, 0.9));
        assert!(two < part && part < one, "{one} {part} {two}");
    }

    #[test]
    fn little_gives_the_slots() {
        let work = Work { items: 1, wait: 0.095, cpu_gil: 0.005, ..Work::default() };
        let (busy, wanted) = slots(&work, 100.0, &costs());
        assert!((busy - 10.0).abs() < 1e-9 && (wanted - 13.0).abs() < 1e-9);
    }

    #[test]
    fn more_than_the_cores_can_compute_has_no_answer() {
        let work = Work { items: 1, wait: 0.05, cpu_gil: 0.01, ..Work::default() };
        let host = Host { cores: 2.0, gil: true, loops: 1.0 };
        let lost = smallest(&work, &host, 300.0, None, None, &costs());
        assert!(lost.response.is_none() && lost.utilisation > 1.0, "{lost:?}");
        assert!(machines(&work, &host, 300.0, &costs()) >= 3.0);
        let kept = smallest(&work, &host, 100.0, None, None, &costs());
        assert!(kept.response.is_some() && kept.shape.processes == 2, "{kept:?}");
    }

    #[test]
    fn no_shape_has_more_slots_than_the_other_side_takes() {
        let work = Work { items: 1, wait: 0.05, cpu_gil: 0.009, ..Work::default() };
        let host = Host { cores: 4.0, gil: true, loops: 1.0 };
        for limit in [1, 2, 3, 5, 7, 100] {
            for rate in [1.0, 20.0, 200.0, 400.0] {
                let one = smallest(&work, &host, rate, None, Some(f64::from(limit)), &costs());
                assert!(one.shape.slots() <= limit as usize, "{limit} {rate}: {one:?}");
            }
        }
    }

    #[test]
    fn random_placement_loads_one_process_more() {
        // 80 requests on four processes: the guide's 27.4 on the busiest.
        assert!((busiest(80.0, 4) - 27.4).abs() < 0.1, "{}", busiest(80.0, 4));
        assert!((busiest(80.0, 1) - 80.0).abs() < 1e-9);
    }
}
