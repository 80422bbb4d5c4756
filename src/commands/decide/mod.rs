//! `boundby decide`: the rules and the model on answers instead of a measurement.

mod dialogue;

use std::io::{self, IsTerminal as _};

use anyhow::{Result, anyhow, bail};

use super::calibrate;
use super::report::deliver;
use super::rules::load;
use super::terminal::{Sink, style_for};
use crate::advice::{advise_stated, described, of_statements};
use crate::cli::DecideArgs;
use crate::facts::{self, AssumedWaits, Stated, Value};
use crate::machine::Machine;
use crate::report::Style;
use crate::report::decision::{Decided, render, render_description};
use crate::rules::RuleSet;
use crate::units;

/// Two statements of one time may be this far apart.
const TOLERANCE: f64 = 0.1;

/// Asks what is missing where there is somebody to ask, decides, writes.
///
/// # Errors
/// What was stated and cannot be, rules that fail, an output that cannot be written. A reader that goes away is none.
pub fn run(args: &DecideArgs) -> Result<()> {
    let mut args = args.clone();
    let somebody = io::stdin().is_terminal() && io::stderr().is_terminal() && io::stdout().is_terminal();
    if somebody && !args.no_ask && !args.from_description {
        dialogue::ask(&mut args, &mut io::stdin().lock(), &mut io::stderr().lock())?;
    }
    let sink = if args.output.is_some() { Sink::File } else { Sink::Stdout };
    let style = Style { verbose: args.verbose, ..style_for(sink) };
    let machine = calibrate::surveyed();
    let rules = calibrate::load(args.rules.as_deref(), &machine)?;
    let bytes = answer_by(&rules, &args, &machine, &style)?;
    deliver(&bytes, args.output.as_deref())
}

/// The decision as bytes.
///
/// # Errors
/// As [`run`].
pub fn answer(args: &DecideArgs, machine: &Machine, style: &Style) -> Result<Vec<u8>> {
    answer_by(&load(args.rules.as_deref())?, args, machine, style)
}

fn answer_by(rules: &RuleSet, args: &DecideArgs, machine: &Machine, style: &Style) -> Result<Vec<u8>> {
    let words = args.task.as_deref().map(|task| described(task, args.duration, args.goals.data_size, rules));
    if let (true, Some(task), Some(words)) = (args.from_description, &args.task, &words) {
        return Ok(render_description(task, words, args.format, style));
    }
    let mut stated = stated(args)?;
    if let Some(words) = words {
        // Words never outrank an answer.
        if stated.bound.is_none() && stated.wait.is_none() && stated.cpu.is_none() {
            stated.bound = words.bound;
            stated.bound_is_guess = stated.bound.is_some();
        } else if stated.bound.as_deref() == Some("io") {
            stated.bound = words.bound.filter(|bound| bound != "cpu").or(stated.bound);
        }
        stated.goals.work = stated.goals.work.or(words.work);
    }
    let machine = of_stated(machine, args);
    let facts = facts::declare(&stated, &machine, &assumed(rules)?);
    let evidence = of_statements(&facts);
    let gil = facts.get("runtime.gil").and_then(|fact| match fact.value {
        Value::Bool(gil) => Some(gil),
        _ => None,
    });
    let wall = facts.get_number("run.wall");
    let advice = advise_stated(facts, rules);
    let decided = Decided {
        task: args.task.as_deref(),
        stated: &evidence,
        machine: &machine,
        language: args.language.as_deref(),
        gil,
        wall,
        advice: &advice,
    };
    Ok(render(&decided, args.format, style))
}

/// What was stated, checked against itself.
fn stated(args: &DecideArgs) -> Result<Stated> {
    let cpu = match (args.cpu, args.cpu_outside_lock) {
        (None, None) => None,
        (under, outside) => Some(under.unwrap_or(0.0) + outside.unwrap_or(0.0)),
    };
    if let (Some(wait), Some(cpu)) = (args.wait, cpu)
        && wait + cpu <= 0.0
    {
        bail!(
            "an item that neither waits nor computes takes no time: type --wait or --cpu, for example --wait 100ms"
        );
    }
    if let (Some(items), Some(wait), Some(cpu), Some(duration)) = (args.items, args.wait, cpu, args.duration)
    {
        let together = items as f64 * (wait + cpu);
        if (together / duration - 1.0).abs() > TOLERANCE {
            bail!(
                "{} of {} are {}, but --duration says {}: leave one of them out",
                units::count(items, "item"),
                units::seconds(wait + cpu),
                units::seconds(together),
                units::seconds(duration)
            );
        }
    }
    let waits = args.wait.is_some_and(|wait| wait > 0.0) && cpu.is_none();
    match args.bound.as_deref() {
        Some("cpu" | "gil") if waits => {
            bail!("--bound cpu and --wait without --cpu contradict each other: type --cpu as well");
        }
        Some(bound @ ("network" | "disk" | "io"))
            if cpu.is_some_and(|cpu| cpu > 0.0) && args.wait == Some(0.0) =>
        {
            bail!("--bound {bound} and --wait 0 contradict each other: type how long each item waits");
        }
        _ => {}
    }
    if let (Some(latency), Some(wait)) = (args.goals.latency, args.wait)
        && latency < wait + cpu.unwrap_or(0.0)
    {
        let alone = units::seconds(wait + cpu.unwrap_or(0.0));
        bail!(
            "no request can be answered sooner than the {alone} it takes by itself: type a longer --latency"
        );
    }
    let goals = args.goals.goals(None).map_err(|what| anyhow!(what))?;
    Ok(Stated {
        bound: args.bound.clone(),
        goals,
        bound_is_guess: false,
        duration: args.duration,
        // A server has no end: one request is the item.
        items: args.items.or(args.goals.rate.map(|rate| (rate * 60.0).ceil().max(1.0) as u64)),
        wait: args.wait,
        cpu: args.cpu,
        cpu_outside_lock: args.cpu_outside_lock,
        background: args.background,
        dependent: args.dependent,
        language: args.language.clone(),
        no_gil: args.no_gil,
        cores: args.cpus,
        memory: args.memory,
    })
}

/// The computer that was described: this one, but for what was said of it.
fn of_stated(machine: &Machine, args: &DecideArgs) -> Machine {
    let mut machine = machine.clone();
    if let Some(cores) = args.cpus {
        machine.cpus_logical = cores.ceil() as u32;
        machine.cpus_affinity = None;
        machine.quota = None;
        machine.effective = cores;
    }
    if let Some(memory) = args.memory {
        machine.memory_total = None;
        machine.memory_available = Some(memory as u64);
        machine.memory_limit = None;
    }
    machine
}

fn assumed(rules: &RuleSet) -> Result<AssumedWaits> {
    let share = |name: &str| {
        rules.constant(name).ok_or_else(|| anyhow!("the rules lack `{name}`: add it to constants.yaml"))
    };
    Ok(AssumedWaits {
        waits: share("stated_waits")?,
        computes: share("stated_computes")?,
        mixed: share("stated_mixed")?,
    })
}
