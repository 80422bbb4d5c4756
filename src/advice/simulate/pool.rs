//! Pools of workers: every strategy by number of workers, the knee, what the guides' number would attain.

use std::collections::BTreeMap;

use super::binds::{self, Binds};
use super::{Scenario, effort};
use crate::advice::model::choose::Cap;
use crate::advice::model::replay::Replay;
use crate::advice::model::server::{self, Shape};
use crate::advice::model::wall::{Curve, Point as Times};
use crate::advice::model::{Costs, Networks};
use crate::advice::predict::{self, Plan, Plans};
use crate::advice::types::Strategy;
use crate::advice::work::{ItemSource, Subject};
use crate::advice::{decide, predicted, recommend};
use crate::facts::{Facts, Origin, Value};
use crate::rules::{RuleKind, RuleSet, Then, Truth};

/// All strategies for one scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Wall time of everything one after another.
    pub sequential: f64,
    /// Strategies and shapes, fastest at its knee first.
    pub models: Vec<Modelled>,
    /// Place of the one to take: most gain for its effort; `None`: stay sequential.
    pub best: Option<usize>,
    /// Strategies that the rules rule out for such work, each with the reason.
    pub vetoed: BTreeMap<Strategy, String>,
}

/// One strategy, or one shape of processes and threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Modelled {
    /// The strategy; processes for a shape.
    pub strategy: Strategy,
    /// The shape, where it is one.
    pub shape: Option<Shape>,
    /// The knee: the smallest number of workers near the best; for a shape its threads in all.
    pub knee: usize,
    /// Smallest and largest number about as good.
    pub range: (usize, usize),
    /// Stages of a hybrid: workers that wait, workers that compute.
    pub stages: Option<(usize, usize)>,
    /// What keeps the knee where it is, `items` or `knee` or the name of a cap.
    pub binding: String,
    /// The closed form that explains the knee.
    pub formula: String,
    /// Items to send to a process at once.
    pub batch: u64,
    /// What the table shows, by number of workers.
    pub points: Vec<Point>,
    /// Speedup by number of workers, for a drawing.
    pub curve: Vec<(usize, f64)>,
    /// What the guides' number would attain.
    pub guide: Option<Guide>,
    /// Time of the two stages of a hybrid one after the other.
    pub barrier: Option<f64>,
    /// Time of a shape whose processes get their items at random.
    pub at_random: Option<f64>,
}

impl Modelled {
    /// The point at the knee.
    #[must_use]
    pub fn at_knee(&self) -> Option<&Point> {
        self.points.iter().find(|point| point.workers == self.knee)
    }
}

/// One number of workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Workers.
    pub workers: usize,
    /// Rounds it takes if all items are alike.
    pub rounds: u64,
    /// Wall time of the whole program.
    pub time: f64,
    /// Best and worst case.
    pub fast: f64,
    /// See `fast`.
    pub slow: f64,
    /// One after another over this.
    pub speedup: f64,
    /// Throughput over the best of any allowed number of workers.
    pub of_best: f64,
    /// What binds.
    pub binds: Binds,
}

/// The guides' range of workers and what share of the best throughput its ends attain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guide {
    /// Workers.
    pub low: usize,
    /// Workers.
    pub high: usize,
    /// Share of the best.
    pub low_attains: f64,
    /// Share of the best.
    pub high_attains: f64,
}

/// Rows of the strategy to take, and of each other one.
const ROWS: usize = 8;
const ROWS_OF_OTHERS: usize = 3;
/// Points of a drawing for each doubling of workers.
const DRAWN: f64 = 3.0;

/// What is to be shown of a scenario.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// Only these strategies; empty: all.
    pub strategies: &'a [Strategy],
    /// These numbers of workers; empty: those around the knee.
    pub workers: &'a [usize],
    /// These shapes of processes and threads as well.
    pub shapes: &'a [Shape],
}

/// Predicts every strategy and shape that is to be shown, and says which one to take by the rules.
#[must_use]
pub fn simulate(
    scenario: &Scenario,
    language: &str,
    shown: Shown<'_>,
    rules: &RuleSet,
    costs: &Costs,
) -> Simulation {
    let Shown { strategies, workers, shapes } = shown;
    let subject = subject(scenario);
    let caps = caps(scenario);
    let plans = predict::predict(&subject, &caps, costs);
    let sequential = scenario.sequential();
    let Judged { vetoed, preferred } = judge(scenario, language, &plans, rules);
    let wanted = |plan: &&Plan| strategies.is_empty() || strategies.contains(&plan.strategy);
    let asked = Asked { scenario, subject: &subject, costs, workers, sequential };
    let mut models: Vec<Modelled> =
        plans.plans.iter().filter(wanted).filter_map(|plan| asked.strategy(plan)).collect();
    models.extend(shapes.iter().filter_map(|shape| asked.shape(*shape)));
    let at_knee = |one: &Modelled| one.at_knee().map_or(f64::INFINITY, |point| point.time);
    models.sort_by(|a, b| at_knee(a).total_cmp(&at_knee(b)).then(a.strategy.cmp(&b.strategy)));
    let worth = rules.constant("min_gain").unwrap_or(1.0);
    let score = |one: &Modelled| {
        let leaning = preferred.get(&one.strategy).copied().unwrap_or_default();
        let gain = sequential / at_knee(one).max(f64::MIN_POSITIVE);
        gain.ln() + leaning - costs.effort_weight * effort(one.strategy, costs)
    };
    let best = best(&models, sequential, &plans, &vetoed, worth, score);
    if workers.is_empty() {
        for (i, model) in models.iter_mut().enumerate() {
            if Some(i) != best && !(best.is_none() && i == 0) {
                keep_around_knee(model, ROWS_OF_OTHERS);
            }
        }
    }
    Simulation { sequential, models, best, vetoed }
}

/// What the rules make of such work, as they would after a measurement.
struct Judged {
    vetoed: BTreeMap<Strategy, String>,
    /// What they add to the logarithm of a gain.
    preferred: BTreeMap<Strategy, f64>,
}

fn judge(scenario: &Scenario, language: &str, plans: &Plans, rules: &RuleSet) -> Judged {
    let Scenario { work, host, .. } = scenario;
    let mut facts = Facts::default();
    let whole = (work.wait + work.cpu()).max(f64::MIN_POSITIVE);
    let mut state = |name: &str, value: f64| facts.number(name, value, Origin::Declared);
    state("wait.share", work.wait / whole);
    state("cpu.share", work.cpu() / whole);
    if work.cpu() > 0.0 {
        state("cpu.gil_share", work.cpu_gil / work.cpu());
    }
    facts.set("runtime.lang", Value::Text(language.to_owned()), Origin::Declared);
    facts.set("runtime.gil", Value::Bool(host.gil), Origin::Declared);
    facts.set("runtime.async", Value::Bool(false), Origin::Declared);
    predicted::pools(&mut facts, plans);
    let ruled_out = decide::vetoes(rules, &facts);
    let single =
        plans.plans.iter().find(|p| p.strategy != Strategy::Hybrid && !ruled_out.contains_key(&p.strategy));
    predicted::hybrid(&mut facts, plans, single);
    let reason = |id: &str| rules.get(id).map(|rule| rule.because.render(rules, &facts)).unwrap_or_default();
    let vetoed =
        decide::vetoes(rules, &facts).into_iter().map(|(strategy, id)| (strategy, reason(&id))).collect();
    let mut preferred = BTreeMap::new();
    for outcome in rules.evaluate(RuleKind::Prefer, &facts) {
        if let (Truth::True, Then::Prefer { strategy, weight }) = (&outcome.truth, &outcome.rule.then)
            && let Some(strategy) = Strategy::from_name(strategy)
        {
            *preferred.entry(strategy).or_default() += weight;
        }
    }
    Judged { vetoed, preferred }
}

fn subject(scenario: &Scenario) -> Subject {
    let work = scenario.work;
    Subject {
        work,
        host: scenario.host,
        recorded: scenario.lengths.clone(),
        now: Strategy::Sequential,
        now_workers: 1,
        spare: 1.0,
        now_items: work.sequential(),
        items: ItemSource::Seen,
    }
}

fn caps(scenario: &Scenario) -> Vec<predict::StrategyCap> {
    let all = vec![Strategy::Threads, Strategy::Processes, Strategy::Async, Strategy::Hybrid];
    let cap = |limit: u64| Cap { name: Binds::Downstream.name().to_owned(), workers: limit as f64 };
    scenario.downstream.map(|limit| (all, cap(limit))).into_iter().collect()
}

/// The one with the highest score, where it is worth anything at all.
fn best(
    models: &[Modelled],
    sequential: f64,
    plans: &Plans,
    vetoed: &BTreeMap<Strategy, String>,
    worth: f64,
    score: impl Fn(&Modelled) -> f64,
) -> Option<usize> {
    let time = |one: &Modelled| one.at_knee().map_or(f64::INFINITY, |point| point.time);
    let start = |one: &Modelled| plans.get(one.strategy).map_or(0.0, |plan| plan.start);
    let worthy = models.iter().enumerate().filter(|(_, one)| {
        let allowed = one.shape.is_some() || !vetoed.contains_key(&one.strategy);
        allowed && sequential >= worth * time(one) && sequential - time(one) >= 2.0 * start(one)
    });
    worthy.max_by(|a, b| score(a.1).total_cmp(&score(b.1)).then(b.0.cmp(&a.0))).map(|(i, _)| i)
}

/// What all models of one scenario share.
struct Asked<'a> {
    scenario: &'a Scenario,
    subject: &'a Subject,
    costs: &'a Costs,
    workers: &'a [usize],
    sequential: f64,
}

/// How long a number of workers takes: by closed form, and by replay where items differ.
struct Clock<'a> {
    networks: Networks,
    curve: Curve,
    names: &'static [Binds],
    /// Whose items are followed.
    replayed: Option<Strategy>,
    batch: u64,
    asked: &'a Asked<'a>,
}

impl Clock<'_> {
    fn at(&self, workers: usize) -> Option<Times> {
        let Asked { subject, costs, .. } = self.asked;
        let closed = self.curve.at(workers)?;
        let replay = self.replayed.and_then(|strategy| {
            Replay::of(strategy, &subject.recorded, &subject.work, &subject.host, costs, self.batch, workers)
        });
        let Some(replay) = replay else { return Some(closed) };
        let time = closed.start + replay.time(workers);
        Some(Times { time, fast: closed.fast.min(time), slow: closed.slow.max(time), start: closed.start })
    }

    /// Every number asked for as points; `best` is the shortest time of any allowed number.
    fn points(&self, numbers: &[usize], best: f64, limit: Option<u64>) -> Vec<Point> {
        let Asked { subject, costs, sequential, .. } = self.asked;
        let work = &subject.work;
        let point = |n: &usize| {
            let times = self.at(*n)?;
            let time = work.serial + times.time;
            let binds = binds::of(&self.networks, self.names, work, *n, times, costs);
            let at_limit = limit.is_some_and(|limit| *n as u64 >= limit) && binds == Binds::Workers;
            Some(Point {
                workers: *n,
                rounds: work.items.div_ceil(*n as u64),
                time,
                fast: work.serial + times.fast,
                slow: work.serial + times.slow,
                speedup: sequential / time,
                of_best: ((work.serial + best) / time).min(1.0),
                binds: if at_limit { Binds::Downstream } else { binds },
            })
        };
        numbers.iter().filter_map(point).collect()
    }
}

impl Asked<'_> {
    fn strategy(&self, plan: &Plan) -> Option<Modelled> {
        if plan.strategy == Strategy::Hybrid {
            return Some(self.hybrid(plan));
        }
        let (work, host) = (&self.subject.work, &self.subject.host);
        let networks = Networks::of(plan.strategy, work, host, self.costs, plan.batch)?;
        let stated = self.workers.iter().copied().max().unwrap_or(0);
        let limit = predict::hard_cap(plan.strategy, self.costs).min(work.items.max(1) as usize);
        let clock = Clock {
            curve: Curve::closed_form(&networks, work, limit.max(stated.min(work.items as usize))),
            networks,
            names: binds::stations(plan.strategy, host.gil, host.loops),
            replayed: (!self.subject.recorded.is_empty()).then_some(plan.strategy),
            batch: plan.batch,
            asked: self,
        };
        let knee = plan.choice.workers;
        let best = self.best_time(&clock, limit, knee);
        let guide = (plan.strategy == Strategy::Threads && work.wait >= work.cpu())
            .then(|| self.guide(&clock, limit, best))
            .flatten();
        let mut numbers = self.workers.to_vec();
        if numbers.is_empty() {
            numbers = around(knee, limit);
            numbers.extend(guide.iter().flat_map(|guide| [guide.low, guide.high]));
        }
        numbers.push(knee);
        numbers.sort_unstable();
        numbers.dedup();
        let drawn = numbers.last().copied().unwrap_or(knee).max(2 * knee).min(limit);
        let speedup = |n: usize| Some((n, self.sequential / (work.serial + clock.at(n)?.time)));
        let points = clock.points(&numbers, best, self.scenario.downstream);
        let mut model = Modelled {
            strategy: plan.strategy,
            shape: None,
            knee,
            range: (plan.choice.low, plan.choice.high),
            stages: None,
            binding: plan.choice.binding.clone(),
            formula: recommend::formula(self.subject, plan),
            batch: plan.batch,
            curve: log_spaced(drawn).into_iter().filter_map(speedup).collect(),
            points,
            guide,
            barrier: None,
            at_random: None,
        };
        if self.workers.is_empty() {
            keep_around_knee(&mut model, ROWS);
        }
        Some(model)
    }

    /// The shortest time of any allowed number of workers.
    fn best_time(&self, clock: &Clock<'_>, limit: usize, knee: usize) -> f64 {
        let bound = self.scenario.downstream.map_or(limit, |most| limit.min(most as usize)).max(1);
        let closed = || (1..=bound).filter_map(|n| clock.curve.at(n)).map(|point| point.time);
        if clock.replayed.is_none() {
            return closed().fold(f64::INFINITY, f64::min);
        }
        // A replay costs too much to try every number.
        let tried = log_spaced((4 * knee).min(bound)).into_iter().filter_map(|n| clock.at(n));
        tried.map(|point| point.time).fold(f64::INFINITY, f64::min)
    }

    fn guide(&self, clock: &Clock<'_>, limit: usize, best: f64) -> Option<Guide> {
        let cores = self.subject.host.cores.round().max(1.0);
        let number = |per_core: f64| ((per_core * cores) as usize).clamp(1, limit);
        let (low, high) = (number(self.costs.guide_threads_low), number(self.costs.guide_threads_high));
        let attains = |n: usize| clock.at(n).map(|point| (best / point.time).min(1.0));
        Some(Guide { low, high, low_attains: attains(low)?, high_attains: attains(high)? })
    }

    fn shape(&self, shape: Shape) -> Option<Modelled> {
        let (work, host, costs) = (&self.subject.work, &self.subject.host, self.costs);
        let networks = Networks::of_shape(shape, work, host, costs);
        let slots = shape.slots();
        let used = slots.min(work.items.max(1) as usize);
        let names: &'static [Binds] = binds::stations(Strategy::Threads, host.gil, host.loops);
        let clock = Clock {
            curve: Curve::closed_form(&networks, work, used),
            networks,
            names,
            // Threads of several processes have several locks; the replay knows one.
            replayed: None,
            batch: 1,
            asked: self,
        };
        let best = clock.at(used)?.time;
        let mut points = clock.points(&[used], best, self.scenario.downstream);
        for point in &mut points {
            point.workers = slots;
            point.rounds = work.items.div_ceil(slots.max(1) as u64);
        }
        let busiest = server::busiest(work.items as f64, shape.processes).ceil();
        let alone = Shape { processes: 1, ..shape };
        let at_random = (shape.processes > 1).then(|| {
            let part = super::Work { items: busiest as u64, ..*work };
            let cores = (host.cores / shape.processes as f64).clamp(f64::MIN_POSITIVE, 1.0);
            let one = Networks::of_shape(alone, &part, &super::Host { cores, ..*host }, costs);
            let workers = shape.threads.min(part.items as usize).max(1);
            Curve::closed_form(&one, &part, workers).at(workers).map(|point| work.serial + point.time)
        });
        Some(Modelled {
            strategy: Strategy::Processes,
            shape: Some(shape),
            knee: slots,
            range: (slots, slots),
            stages: None,
            binding: "stated".to_owned(),
            formula: format!("{} processes × {} threads = {slots} at once", shape.processes, shape.threads),
            batch: 1,
            curve: points.iter().map(|point| (point.workers, point.speedup)).collect(),
            points,
            guide: None,
            barrier: None,
            at_random: at_random.flatten(),
        })
    }

    fn hybrid(&self, plan: &Plan) -> Modelled {
        let (waiting, computing) = plan.stages.unwrap_or((plan.choice.workers, 1));
        let time = plan.time;
        let point = Point {
            workers: waiting + computing,
            rounds: self.subject.work.items.div_ceil(waiting.max(1) as u64),
            time,
            fast: plan.fast.min(time),
            slow: plan.slow.max(time),
            speedup: self.sequential / time,
            of_best: 1.0,
            binds: if plan.choice.binding == "cores" { Binds::Cores } else { Binds::Workers },
        };
        Modelled {
            strategy: Strategy::Hybrid,
            shape: None,
            knee: point.workers,
            range: (point.workers, point.workers),
            stages: Some((waiting, computing)),
            binding: plan.choice.binding.clone(),
            formula: recommend::formula(self.subject, plan),
            batch: plan.batch,
            curve: vec![(point.workers, point.speedup)],
            points: vec![point],
            guide: None,
            barrier: plan.barrier,
            at_random: None,
        }
    }
}

/// Powers of two from a fraction of the knee to twice of it.
fn around(knee: usize, limit: usize) -> Vec<usize> {
    let mut out = vec![1];
    let mut n = 2;
    while n < 2 * knee {
        out.push(n);
        n *= 2;
    }
    out.push(2 * knee);
    out.retain(|n| *n <= limit);
    out
}

/// Numbers up to `most` that stand evenly on a logarithmic scale.
fn log_spaced(most: usize) -> Vec<usize> {
    let steps = ((most.max(1) as f64).log2() * DRAWN).ceil() as usize;
    let mut out: Vec<usize> = (0..=steps).map(|i| 2.0_f64.powf(i as f64 / DRAWN).round() as usize).collect();
    out.push(most);
    out.retain(|n| (1..=most).contains(n));
    out.sort_unstable();
    out.dedup();
    out
}

/// Leaves out points far from the knee, but not what the guides say.
fn keep_around_knee(model: &mut Modelled, rows: usize) {
    let guided = |n: usize| rows > ROWS_OF_OTHERS && model.guide.is_some_and(|g| n == g.low || n == g.high);
    let far = |n: usize| {
        let distance = (n as f64 / model.knee.max(1) as f64).ln().abs();
        if n == model.knee || guided(n) { 0.0 } else { distance }
    };
    let mut kept: Vec<Point> = model.points.clone();
    kept.sort_by(|a, b| far(a.workers).total_cmp(&far(b.workers)).then(a.workers.cmp(&b.workers)));
    kept.truncate(rows);
    kept.sort_by_key(|point| point.workers);
    model.points = kept;
}
