//! `boundby simulate`: the model on numbers that are stated.

use anyhow::{Result, anyhow, bail};

use super::calibrate;
use super::report::deliver;
use super::rules::load;
use super::terminal::{Sink, style_for};
use crate::advice::simulate::{self, Arrivals, Costs, Distribution, Scenario, Shown, Work};
use crate::cli::{SimulateArgs, values};
use crate::facts;
use crate::report::simulation::{Answer, Simulated, SimulationFormat, render};
use crate::rules::RuleSet;

/// Reads, reckons, writes.
///
/// # Errors
/// What was stated and cannot be, rules that fail, an output that cannot be written. A reader that goes away is none.
pub fn run(args: &SimulateArgs) -> Result<()> {
    let sink = if args.output.is_some() { Sink::File } else { Sink::Stdout };
    let machine = calibrate::surveyed();
    let rules = calibrate::load(args.rules.as_deref(), &machine)?;
    let cores = || machine.capacity.unwrap_or_else(|| f64::from(machine.cpus()));
    let bytes = answer_by(&rules, args, cores, &style_for(sink))?;
    deliver(&bytes, args.output.as_deref())
}

/// The answer as bytes; `cores` is asked where the number of cores is not stated.
///
/// # Errors
/// As [`run`].
pub fn answer(args: &SimulateArgs, cores: impl Fn() -> f64, style: &crate::report::Style) -> Result<Vec<u8>> {
    answer_by(&load(args.rules.as_deref())?, args, cores, style)
}

fn answer_by(
    rules: &RuleSet,
    args: &SimulateArgs,
    cores: impl Fn() -> f64,
    style: &crate::report::Style,
) -> Result<Vec<u8>> {
    let costs = Costs::read(|name| rules.model(name))
        .map_err(|missing| anyhow!("the model lacks {}: add it to model.yaml", missing.join(", ")))?;
    let scenario = stated(args, cores)?;
    let told = |answer| Simulated {
        scenario: &scenario,
        language: &args.language,
        cores_of_this_computer: args.cpus.is_none() && args.quota.is_none(),
        answer,
    };
    if !args.stages.is_empty() {
        let pipeline = simulate::pipeline(&args.stages, scenario.work.items, costs.near_best);
        return Ok(render(&told(Answer::Pipeline(&pipeline)), args.format, style));
    }
    if let Some(rate) = args.rate {
        if args.format == SimulationFormat::Svg {
            bail!("a server has no curve to draw: use --format text or json");
        }
        let arrivals = Arrivals { rate, latency: args.latency };
        let serving = simulate::serve(&scenario, arrivals, &args.pool, &costs);
        return Ok(render(&told(Answer::Server(&serving)), args.format, style));
    }
    let workers = workers(args, &scenario, &costs)?;
    let shown = Shown { strategies: &args.strategy, workers: &workers, shapes: &args.pool };
    let simulation = simulate::simulate(&scenario, &args.language, shown, rules, &costs);
    if simulation.models.is_empty() {
        bail!("no model that was asked about applies: leave --strategy out to see those that do");
    }
    Ok(render(&told(Answer::Pools(&simulation)), args.format, style))
}

/// What was stated, checked against itself.
fn stated(args: &SimulateArgs, cores: impl Fn() -> f64) -> Result<Scenario> {
    let gil = facts::has_gil(&args.language).unwrap_or(true) && !args.no_gil;
    let cores = args.cpus.unwrap_or_else(cores);
    let cores = args.quota.map_or(cores, |quota| quota.min(cores));
    let (under, outside) = (args.cpu.unwrap_or(0.0), args.cpu_outside_lock.unwrap_or(0.0));
    let wait = args.wait.first().copied().unwrap_or(0.0);
    let several = args.wait.len() > 1;
    let work = Work {
        items: tasks(args)?,
        wait,
        cpu_gil: if gil { under } else { 0.0 },
        cpu_native: if gil { outside } else { under + outside },
        held: args.critical_section.unwrap_or(0.0),
        payload: args.payload.unwrap_or(0.0),
        serial: args.serial.unwrap_or(0.0),
        ..Work::default()
    };
    if args.stages.is_empty() && work.cpu() + args.wait.iter().sum::<f64>() <= 0.0 {
        bail!(
            "a task that neither waits nor computes takes no time: type --wait or --cpu, for example --wait 100ms"
        );
    }
    if !several && work.held > work.wait + work.cpu() {
        bail!(
            "--critical-section is longer than the whole task: type at most what --wait and --cpu are together"
        );
    }
    if args.latency.is_some() && args.rate.is_none() {
        bail!("--latency is of a server: type --rate as well, for example --rate 200/s");
    }
    if let (Some(latency), false) = (args.latency, several)
        && latency < work.wait + work.cpu()
    {
        let alone = crate::units::seconds(work.wait + work.cpu());
        bail!(
            "no request can be answered sooner than the {alone} it takes by itself: type a longer --latency"
        );
    }
    let mut scenario = Scenario::new(work, simulate::host(&args.language, gil, cores));
    scenario.downstream = args.downstream_limit;
    let spread = spread(args)?;
    if several {
        if spread.is_some() {
            bail!("--wait lists how long each task waits: leave --cv and --distribution out");
        }
        if args.rate.is_some() {
            bail!("a server takes one --wait: the mean of its requests");
        }
        return Ok(scenario.with_waits(&args.wait));
    }
    Ok(match spread {
        Some((distribution, cv)) => scenario.with_distribution(distribution, cv),
        None => scenario,
    })
}

fn tasks(args: &SimulateArgs) -> Result<u64> {
    let listed = args.wait.len() as u64;
    match args.tasks {
        Some(tasks) if listed > 1 && tasks != listed => {
            bail!(
                "--wait lists {listed} times and --tasks says {tasks}: leave --tasks out, or type one --wait"
            );
        }
        Some(tasks) => Ok(tasks),
        None if listed > 1 => Ok(listed),
        None if args.rate.is_some() => Ok(1),
        None => bail!("how many tasks? type --tasks 1000; for a server --rate 200/s"),
    }
}

/// The distribution of lengths and its coefficient of variation; `None`: all alike.
fn spread(args: &SimulateArgs) -> Result<Option<(Distribution, f64)>> {
    let (distribution, cv) = match (args.distribution, args.cv) {
        (None, None) => return Ok(None),
        (None, Some(cv)) => (if cv > 0.0 { Distribution::Lognormal } else { Distribution::Fixed }, cv),
        (Some(distribution), cv) => (distribution, cv.unwrap_or_else(|| distribution.usual_cv())),
    };
    if !distribution.allows(cv) {
        let most = crate::units::significant(distribution.usual_cv());
        let name = distribution.name();
        bail!(
            "--distribution {name} and --cv {cv} contradict each other: leave --cv out for {most}, or use lognormal"
        );
    }
    Ok(Some((distribution, cv)))
}

/// The numbers of workers asked for, none above what is allowed.
fn workers(args: &SimulateArgs, scenario: &Scenario, costs: &Costs) -> Result<Vec<usize>> {
    let workers = values::listed(&args.workers);
    let most = workers.last().copied().unwrap_or(0);
    let shapes = args.pool.iter().map(|shape| shape.slots()).max().unwrap_or(0);
    if let Some(limit) = scenario.downstream
        && most.max(shapes) as u64 > limit
    {
        let asked = if most as u64 > limit { "--workers" } else { "--pool" };
        bail!(
            "{asked} asks for {} at once, --downstream-limit allows {limit}: change one of them",
            most.max(shapes)
        );
    }
    let allowed = costs.max_tasks.max(costs.max_threads) as usize;
    if most.max(shapes) > allowed {
        bail!(
            "{} workers are more than the {allowed} that the model reckons with: type fewer",
            most.max(shapes)
        );
    }
    Ok(workers)
}
