//! Mean value analysis: the throughput of a closed network of one delay and one queueing station.

/// A delay of `delay` seconds followed by a station that needs `demand` seconds and has `servers` servers.
/// `servers` may be fractional: `j` customers are served at speed `min(j, servers)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Seconds per item outside the station.
    pub delay: f64,
    /// Seconds of service per item.
    pub demand: f64,
    /// Servers, above 0.
    pub servers: f64,
}

impl Station {
    /// Throughput in items per second with 1, 2, … `customers` customers; element 0 is one customer.
    ///
    /// The exact recursion (Reiser and Lavenberg 1980) with only the first ⌈servers⌉ marginal probabilities: the
    /// others follow from utilisation. Subtraction is its known weakness near saturation, so that every step is
    /// held between the throughput of one customer less and the asymptotic bounds.
    #[must_use]
    pub fn throughput(&self, customers: usize) -> Vec<f64> {
        let Self { delay, demand, servers } = *self;
        if demand <= 0.0 {
            return (1..=customers)
                .map(|n| if delay > 0.0 { n as f64 / delay } else { f64::INFINITY })
                .collect();
        }
        let tracked = (servers.ceil() as usize).clamp(1, customers.max(1));
        // marginal[j]: probability of j customers at the station, for j < tracked.
        let mut marginal = vec![0.0; tracked];
        marginal[0] = 1.0;
        let mut queue = 0.0;
        let mut before = 0.0_f64;
        let mut out = Vec::with_capacity(customers);
        for n in 1..=customers {
            let correction: f64 =
                (1..tracked).map(|j| (1.0 - j as f64 / servers) * marginal[j - 1]).sum::<f64>();
            // Below one server even a single customer is served at `servers` speed, which the first term covers.
            let residence =
                (demand / servers * (1.0 + queue) + demand * correction).max(demand / servers.min(1.0));
            let rate = (n as f64 / (delay + residence)).clamp(before, self.optimistic(n).max(before));
            queue = (n as f64 - rate * delay).max(0.0);
            for j in (1..tracked).rev() {
                marginal[j] = demand * rate / (j as f64).min(servers) * marginal[j - 1];
            }
            let seen: f64 = marginal[1..].iter().sum();
            let busy: f64 = marginal[1..].iter().enumerate().map(|(i, p)| (i + 1) as f64 * p).sum();
            marginal[0] = (1.0 - seen - (demand * rate - busy) / servers).max(0.0);
            before = rate;
            out.push(rate);
        }
        out
    }

    /// Upper bound: nobody ever queues before the servers are all busy.
    #[must_use]
    pub fn optimistic(&self, customers: usize) -> f64 {
        let n = customers as f64;
        (n / (self.delay + self.demand / self.servers.min(1.0)))
            .min(self.servers / self.demand.max(f64::MIN_POSITIVE))
    }

    /// Lower bound: all wait together, then all compute together (lock step).
    #[must_use]
    pub fn pessimistic(&self, customers: usize) -> f64 {
        let n = customers as f64;
        n / (self.delay + (self.demand / self.servers.min(1.0)).max(n * self.demand / self.servers))
    }

    /// Customers from which on the servers are busy all the time: `servers × (delay + demand) / demand`.
    #[must_use]
    pub fn saturation(&self) -> f64 {
        self.servers * (self.delay + self.demand) / self.demand.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursion as printed in textbooks, with all marginals.
    fn textbook(station: Station, customers: usize) -> Vec<f64> {
        let mut p = vec![0.0; customers + 1];
        p[0] = 1.0;
        let mut out = Vec::new();
        for k in 1..=customers {
            let capacity = |j: usize| (j as f64).min(station.servers);
            let residence: f64 = (1..=k).map(|j| j as f64 * station.demand / capacity(j) * p[j - 1]).sum();
            let rate = k as f64 / (station.delay + residence);
            for j in (1..=k).rev() {
                p[j] = station.demand * rate / capacity(j) * p[j - 1];
            }
            p[0] = (1.0 - p[1..=k].iter().sum::<f64>()).max(0.0);
            out.push(rate);
        }
        out
    }

    #[test]
    fn the_short_recursion_agrees_with_the_textbook() {
        for servers in [0.5, 1.0, 1.8, 2.0, 3.7, 8.0] {
            for delay in [0.0, 0.5, 3.0, 19.0] {
                let station = Station { delay, demand: 1.0, servers };
                // Fewer customers than where the textbook recursion loses its digits.
                for (n, (mine, theirs)) in
                    station.throughput(24).iter().zip(textbook(station, 24)).enumerate()
                {
                    assert!((mine - theirs).abs() < 1e-3 * theirs, "{station:?} n={} {mine} {theirs}", n + 1);
                }
            }
        }
    }

    #[test]
    fn nineteen_to_one_under_one_lock() {
        // The shares the guide quotes: 4 threads 20 %, 10 threads 48 %, 24 threads 95 % of the ceiling.
        let x = Station { delay: 19.0, demand: 1.0, servers: 1.0 }.throughput(30);
        assert!((x[3] - 0.20).abs() < 0.01, "{}", x[3]);
        assert!((x[9] - 0.48).abs() < 0.02, "{}", x[9]);
        assert!((x[23] - 0.95).abs() < 0.02, "{}", x[23]);
    }

    #[test]
    fn no_demand_is_pure_delay_and_no_time_is_no_division() {
        assert_eq!(Station { delay: 0.5, demand: 0.0, servers: 1.0 }.throughput(2), vec![2.0, 4.0]);
        assert!(Station { delay: 0.0, demand: 0.0, servers: 1.0 }.throughput(1)[0].is_infinite());
    }
}
