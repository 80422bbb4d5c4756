//! Wall time and workers of every strategy for one program: the model asked about everything once.

use super::model::choose::{self, Cap};
use super::model::replay::Replay;
use super::model::{Choice, Costs, Curve, Networks, Point, Work, network};
use super::types::Strategy;
use super::work::{ItemSource, Subject};

/// One strategy with its workers and its times.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub strategy: Strategy,
    pub choice: Choice,
    /// Wall time of the whole program as the model sees it, and the ends of the interval.
    pub time: f64,
    pub fast: f64,
    pub slow: f64,
    /// Start-up, part of the times.
    pub start: f64,
    /// Items to send at once; 1: each alone.
    pub batch: u64,
    /// Throughput with the least and the most workers per core that the guides recommend, over the best.
    pub guide: Option<(f64, f64)>,
    /// Workers of the stages of a hybrid: waiting, computing.
    pub stages: Option<(usize, usize)>,
    /// Time of the same two stages one after the other.
    pub barrier: Option<f64>,
    /// Times with other numbers of workers, in order; empty where there are two numbers.
    pub curve: Vec<(usize, Timed)>,
}

/// Wall time of the whole program as the model sees it, and the ends of the interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timed {
    pub time: f64,
    pub fast: f64,
    pub slow: f64,
}

impl Plan {
    /// Its times.
    pub(super) fn timed(&self) -> Timed {
        Timed { time: self.time, fast: self.fast, slow: self.slow }
    }
}

/// All strategies for one program.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plans {
    /// The program as it is, by the same model.
    pub now: f64,
    /// Candidates, by time, fastest first.
    pub plans: Vec<Plan>,
}

impl Plans {
    /// The plan of one strategy.
    pub(super) fn get(&self, strategy: Strategy) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.strategy == strategy)
    }

    /// How much faster the program becomes.
    pub(super) fn gain(&self, plan: &Plan) -> f64 {
        if plan.time > 0.0 { self.now / plan.time } else { 1.0 }
    }
}

/// A cap and the strategies it applies to.
pub(super) type StrategyCap = (Vec<Strategy>, Cap);

/// Predicts every strategy.
pub(super) fn predict(subject: &Subject, caps: &[StrategyCap], costs: &Costs) -> Plans {
    let mut plans: Vec<Plan> = [Strategy::Threads, Strategy::Async, Strategy::Processes]
        .into_iter()
        .filter_map(|strategy| pool(strategy, subject, caps, costs))
        .collect();
    plans.extend(hybrid(subject, caps, costs));
    plans.sort_by(|a, b| a.time.total_cmp(&b.time).then(a.strategy.cmp(&b.strategy)));
    Plans { now: subject.work.serial + now_items(subject, costs), plans }
}

/// Wall time of the items as the program is. For a program that runs one item after another that is their sum,
/// free of what other programs did to it; for a concurrent one what was measured, unless the model is faster.
fn now_items(subject: &Subject, costs: &Costs) -> f64 {
    if subject.now_workers <= 1 || subject.now == Strategy::Sequential {
        return subject.work.sequential();
    }
    let modelled = Networks::of(subject.now, &subject.work, &subject.host, costs, 1)
        .map(|networks| Curve::closed_form(&networks, &subject.work, subject.now_workers))
        .and_then(|curve| curve.at(subject.now_workers))
        .map_or(f64::INFINITY, |point| point.time);
    modelled.min(subject.now_items)
}

pub(super) fn hard_cap(strategy: Strategy, costs: &Costs) -> usize {
    let cap = match strategy {
        Strategy::Async => costs.max_tasks,
        Strategy::Processes => costs.max_processes,
        _ => costs.max_threads,
    };
    cap.max(1.0) as usize
}

fn caps_of(strategy: Strategy, caps: &[StrategyCap]) -> Vec<Cap> {
    caps.iter().filter(|(which, _)| which.contains(&strategy)).map(|(_, cap)| cap.clone()).collect()
}

/// A pool of one kind of worker.
fn pool(strategy: Strategy, subject: &Subject, caps: &[StrategyCap], costs: &Costs) -> Option<Plan> {
    let Subject { work, host, recorded, .. } = subject;
    let mut caps = caps_of(strategy, caps);
    let mut batch = 1;
    if strategy == Strategy::Processes {
        let cores = host.cores.round().max(1.0);
        // More processes than cores only make sense for the time they wait.
        if work.wait <= costs.oversubscribe_wait * work.cpu() {
            caps.push(Cap { name: "cores".to_owned(), workers: cores });
        }
        batch = network::batch_size(work, costs, cores as usize);
    }
    let networks = Networks::of(strategy, work, host, costs, batch)?;
    let limit = hard_cap(strategy, costs).min(work.items.max(1) as usize);
    let curve = Curve::closed_form(&networks, work, limit);
    // Too few tasks lose speed one for one, too many wait in a queue: their number is chosen for a loop at its best, and
    // what they give is expected halfway between that and what was measured.
    let turns = turns_on_a_loop(strategy, subject, costs);
    let varied = |share: f64| -> Option<(Work, Curve)> {
        let work = work.computing(share);
        let curve = Curve::closed_form(&Networks::of(strategy, &work, host, costs, batch)?, &work, limit);
        Some((work, curve))
    };
    let on_a_loop = if turns < 1.0 { Some((varied(turns)?, varied(turns.sqrt())?)) } else { None };
    let (best_curve, expected_curve) =
        on_a_loop.as_ref().map_or((&curve, &curve), |(best, expected)| (&best.1, &expected.1));
    let mut choice = choose::choose(best_curve, &caps, work.items, costs)?;
    let closed = choice.workers;
    let bound = choose::tightest(&caps).map_or(limit, |(_, bound)| bound.min(limit));
    let replay_of = |work: &Work| Replay::of(strategy, recorded, work, host, costs, batch, closed);
    let replay = replay_of(work);
    let replays_on_a_loop =
        on_a_loop.as_ref().and_then(|(best, expected)| Some((replay_of(&best.0)?, replay_of(&expected.0)?)));
    let replayed =
        |replay: &Replay, n: usize| networks.start.seconds(n) + floor(work, costs).max(replay.time(n));
    if let Some(best) = replays_on_a_loop.as_ref().map(|(best, _)| best).or(replay.as_ref()) {
        choose::by_replay(&mut choice, bound, costs, |n| replayed(best, n));
    }
    let at = |n: usize| {
        // Where the replay moved the number a little, the interval stays that of the closed form.
        let near = if n == choice.workers { closed } else { n };
        let mut point = curve.at(near)?;
        point.time = expected_curve.at(near)?.time;
        point.start = networks.start.seconds(n);
        if let Some(replay) = &replay {
            let time = replayed(replay, n);
            point.time = replays_on_a_loop.as_ref().map_or(time, |(_, expected)| replayed(expected, n));
            // The replay is nearer the truth than either bound: the interval is half as wide around it.
            point.fast = (point.fast.min(time) * time).sqrt();
            point.slow = (point.slow.max(time) * time).sqrt();
        }
        Some(point)
    };
    let per_core = match strategy {
        Strategy::Threads => Some((costs.guide_threads_low, costs.guide_threads_high)),
        Strategy::Processes => Some((costs.guide_processes, costs.guide_processes)),
        _ => None,
    };
    let guide = per_core.map(|per_core| guide_shares(&networks, host.cores, limit, per_core));
    let sampling = 1.645 * work.cv / (work.items as f64).sqrt();
    let margin = 1.0 + costs.band_margin.hypot(sampling);
    let uneven = if subject.items == ItemSource::Divisible {
        // A computation nobody saw in pieces may have a part that cannot be divided.
        (1.0 - costs.divisible_low) * work.sequential()
    } else {
        0.0
    };
    let whole = |point: &Point| Timed {
        time: work.serial + point.time,
        fast: fastest(work.serial + point.fast, strategy, subject, costs) / margin,
        slow: (work.serial + point.slow + uneven + costs.band_seconds) * margin,
    };
    let chosen = at(choice.workers)?;
    let Timed { time, fast, slow } = whole(&chosen);
    let numbers = shown(choice.workers, bound);
    let curve = numbers.into_iter().filter_map(|n| Some((n, whole(&at(n)?)))).collect();
    Some(Plan {
        strategy,
        time,
        fast,
        slow,
        start: chosen.start,
        batch,
        guide,
        stages: None,
        barrier: None,
        curve,
        choice,
    })
}

/// Numbers of workers that show how the time depends on them: powers of two with one in between, up to four times the
/// chosen one, and that itself.
fn shown(chosen: usize, bound: usize) -> Vec<usize> {
    let last = (4 * chosen).clamp(1, bound.max(chosen));
    let mut numbers: Vec<usize> = (0..usize::BITS)
        .map(|power| 1_usize << power)
        .take_while(|n| *n <= last)
        .flat_map(|n| [n, n + n / 2])
        .filter(|n| *n <= last)
        .chain([chosen, last])
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The best case of a time: the cores were busy elsewhere when their capacity was measured, a loop that finds several
/// items ready turns less often, and the program starts and ends as quickly as it ever does.
fn fastest(time: f64, strategy: Strategy, subject: &Subject, costs: &Costs) -> f64 {
    let Subject { work, host, .. } = subject;
    let items = work.items as f64;
    let computing = match strategy {
        Strategy::Async => items * work.cpu() / host.loops,
        Strategy::Threads if host.gil => items * (work.cpu_gil + work.cpu_native / host.cores),
        _ => items * work.cpu() / host.cores,
    };
    let computing = computing.min(time);
    let turns = turns_on_a_loop(strategy, subject, costs);
    let quiet = time - computing + computing * turns / subject.spare;
    (quiet - costs.band_seconds).max(quiet / 2.0)
}

/// What is left of an item's computing, at best, where a loop finds several items ready whenever it turns.
fn turns_on_a_loop(strategy: Strategy, subject: &Subject, costs: &Costs) -> f64 {
    let stays_on_a_loop = strategy == Strategy::Async && subject.now == Strategy::Async;
    if stays_on_a_loop { costs.loop_batched } else { 1.0 }
}

/// What the disk makes of the items at best; the replay lets all waits overlap.
fn floor(work: &Work, costs: &Costs) -> f64 {
    work.items as f64 * work.disk / costs.disk_depth.max(1.0)
}

/// Share of the best steady throughput that the guides' numbers of workers per core reach.
fn guide_shares(networks: &Networks, cores: f64, limit: usize, per_core: (f64, f64)) -> (f64, f64) {
    let rates = networks.throughput(limit);
    let best = rates.last().copied().unwrap_or(0.0);
    let share = |per_core: f64| {
        let n = ((per_core * cores.round().max(1.0)) as usize).clamp(1, rates.len().max(1));
        rates.get(n - 1).map_or(0.0, |rate| if best > 0.0 { (rate / best).min(1.0) } else { 0.0 })
    };
    (share(per_core.0), share(per_core.1))
}

/// Threads that wait feed processes that compute. Only an interpreter lock makes the second stage necessary.
fn hybrid(subject: &Subject, caps: &[StrategyCap], costs: &Costs) -> Option<Plan> {
    let Subject { work, host, .. } = subject;
    if !host.gil || work.wait <= 0.0 || work.cpu() <= 0.0 || subject.items != ItemSource::Seen {
        return None;
    }
    let cores = host.cores.round().max(1.0) as usize;
    let (parent, worker) = network::process_overhead(work, costs, 1);
    let waiting = Work { cpu_gil: parent, cpu_native: 0.0, serial: 0.0, longest: work.wait, ..*work };
    let computing = Work {
        wait: 0.0,
        disk: 0.0,
        held: 0.0,
        cpu_gil: 0.0,
        cpu_native: work.cpu() + parent + worker,
        longest: work.cpu(),
        serial: 0.0,
        ..*work
    };
    let networks = Networks::of(Strategy::Threads, &waiting, host, costs, 1)?;
    let limit = hard_cap(Strategy::Threads, costs).min(work.items.max(1) as usize);
    let curve = Curve::closed_form(&networks, &waiting, limit);
    let mut choice = choose::choose(&curve, &caps_of(Strategy::Threads, caps), work.items, costs)?;
    let pool = Networks::of(Strategy::Processes, &Work { payload: 0.0, ..computing }, host, costs, 1)?;
    let process_caps = caps_of(Strategy::Processes, caps);
    let allowed = choose::tightest(&process_caps).map_or(cores, |(_, bound)| bound.min(cores));
    let compute = Curve::closed_form(&pool, &computing, allowed.min(limit).max(1)).at(allowed)?;
    // The waiting stage need not be faster than the computing one: no more threads than keep it fed.
    let pace = work.wait + compute.time - compute.start;
    let feeds = |n: usize| curve.at(n).is_some_and(|io| io.time - io.start + work.cpu() <= pace);
    if let Some(enough) = (1..choice.workers).find(|n| feeds(*n)) {
        choice = Choice { workers: enough, low: enough, high: enough, binding: "cores".to_owned(), ..choice };
    }
    let io = curve.at(choice.workers)?;
    let start = io.start + compute.start;
    let stream = |io: f64, compute: f64| (io + work.cpu()).max(work.wait + compute);
    let margin = 1.0 + costs.band_margin;
    let time = start + stream(io.time - io.start, compute.time - compute.start);
    let fast = start + stream(io.fast - io.start, compute.fast - compute.start);
    let slow = start + stream(io.slow - io.start, compute.slow - compute.start);
    Some(Plan {
        strategy: Strategy::Hybrid,
        time: work.serial + time,
        fast: fastest(work.serial + fast, Strategy::Hybrid, subject, costs) / margin,
        slow: (work.serial + slow + costs.band_seconds) * margin,
        start,
        batch: 1,
        guide: None,
        stages: Some((choice.workers, allowed)),
        barrier: Some(work.serial + io.time + compute.time),
        curve: Vec::new(),
        choice,
    })
}
