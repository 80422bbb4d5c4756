//! `boundby sweep`: runs a command with ever other numbers of workers, and says which to use.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::report::{deliver, load};
use super::rules;
use super::terminal::{Sink, style_for};
use crate::advice::Recommendation;
use crate::cli::values::listed;
use crate::cli::{SweepArgs, SweepFormat};
use crate::exit;
use crate::machine::{Others, survey};
use crate::report::sweep::{Predicted, Swept, to_json, to_svg, to_text};
use crate::sweep::Samples;
use crate::sweep::search::{Next, Settings, knee, left, next};
use crate::sweep::usl::fit;
use crate::units;

/// Stands for the number of workers.
const PLACEHOLDER: &str = "{workers}";
/// Numbers tried per CPU where nothing is said.
const PER_CPU: u32 = 4;

/// Runs the sweep and returns the exit code.
///
/// # Errors
/// A command that does not take a number, that cannot be started, a profile that cannot be read, an output that cannot be
/// written.
pub fn run(args: &SweepArgs) -> Result<u8> {
    if args.env.is_none() && !args.command.iter().any(|word| mentions(word)) {
        bail!(
            "nothing in the command says how many workers: write {PLACEHOLDER} where the number goes, or name a \
             variable with --env"
        );
    }
    let predicted = args
        .profile
        .as_deref()
        .map(load)
        .transpose()?
        .and_then(|saved| saved.advice_was.recommendations.iter().find_map(predicted));
    let rules = rules::load(None)?;
    let number = |name: &str| {
        let found = rules.constant(name).or_else(|| rules.model(name));
        found.ok_or_else(|| anyhow!("the rules have no number `{name}`: reinstall boundby"))
    };
    let cpus = survey(None).cpus_logical.max(1);
    let most = args.max.unwrap_or(PER_CPU * cpus);
    let settings = Settings {
        grid: if args.workers.is_empty() {
            (1..=most).collect()
        } else {
            listed(&args.workers).into_iter().filter_map(|workers| u32::try_from(workers).ok()).collect()
        },
        exhaustive: args.exhaustive,
        repeats: usize::from(args.repeats),
        near_best: number("near_best")?,
        noise: number("single_run_noise")?,
    };
    let (began, others) = (Instant::now(), Others::watch());
    let bar = Bar::new();
    let mut samples = Samples::default();
    let certain = loop {
        match next(&samples, &settings) {
            Next::Done { certain } => break certain,
            Next::Run(_) if args.limit.is_some_and(|limit| began.elapsed() >= limit) => break false,
            Next::Run(workers) => {
                bar.tells(&samples, workers, began.elapsed(), left(&samples, &settings));
                match timed(args, workers)? {
                    Ok(time) => samples.add(workers, time.as_secs_f64()),
                    Err(why) => samples.fail(workers, why),
                }
            }
        }
    };
    bar.clear();
    let knee = knee(&samples, &settings);
    let swept = Swept {
        command: args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        samples: &samples,
        knee,
        near_best: settings.near_best,
        certain,
        noise: samples.noise(settings.noise),
        fitted: fit(&samples),
        predicted,
        took: began.elapsed(),
        others: others.and_then(|others| others.share(cpus)),
        many_others: number("neighbours_matter")?,
    };
    let sink = if args.output.is_some() { Sink::File } else { Sink::Stdout };
    let text = match args.format {
        SweepFormat::Text => to_text(&swept, &style_for(sink)),
        SweepFormat::Json => to_json(&swept),
        SweepFormat::Svg => to_svg(&swept),
    };
    deliver(text.as_bytes(), args.output.as_deref())?;
    Ok(if knee.is_some() { exit::SUCCESS } else { exit::FINDINGS })
}

/// What a profile predicts for a number of workers.
fn predicted(one: &Recommendation) -> Option<Predicted> {
    let (workers, predicted) = (one.workers.as_ref()?, one.predicted?);
    Some(Predicted { strategy: one.strategy, workers: workers.suggested, predicted })
}

fn mentions(word: &OsStr) -> bool {
    word.as_bytes().windows(PLACEHOLDER.len()).any(|part| part == PLACEHOLDER.as_bytes())
}

/// A word of the command for so many workers.
fn filled(word: &OsStr, workers: u32) -> OsString {
    let (mut rest, mut out) = (word.as_bytes(), Vec::new());
    while let Some(at) = rest.windows(PLACEHOLDER.len()).position(|part| part == PLACEHOLDER.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(workers.to_string().as_bytes());
        rest = &rest[at + PLACEHOLDER.len()..];
    }
    out.extend_from_slice(rest);
    OsString::from_vec(out)
}

/// One run: how long it took, or why it does not count. `Err`: the command cannot be started at all.
fn timed(args: &SweepArgs, workers: u32) -> Result<Result<Duration, String>> {
    let mut words = args.command.iter().map(|word| filled(word, workers));
    let program = words.next().ok_or_else(|| anyhow!("no command was given"))?;
    let mut command = Command::new(&program);
    command.args(words).stdin(Stdio::null());
    if let Some(name) = &args.env {
        command.env(name, workers.to_string());
    }
    if !args.show {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let began = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start {}: is it installed, and spelt so?", program.display()))?;
    let took = began.elapsed();
    Ok(if status.success() { Ok(took) } else { Err(status.to_string()) })
}

/// What is going on, on a terminal only.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    fn tells(&self, samples: &Samples, workers: u32, elapsed: Duration, left: Option<f64>) {
        let best = samples.best().map(|(n, time)| {
            format!("; best so far {} with {}", units::seconds(time), units::count(u64::from(n), "worker"))
        });
        self.0.set_message(format!(
            "run {} ({}), {} gone{}{}",
            samples.runs() + 1,
            units::count(u64::from(workers), "worker"),
            units::seconds(elapsed.as_secs_f64()),
            left.map(|left| format!(", about {} left", units::rough_seconds(left))).unwrap_or_default(),
            best.unwrap_or_default()
        ));
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_wherever_it_is_asked_for() {
        let of = |word: &str| filled(OsStr::new(word), 12).into_string().unwrap();
        assert_eq!(of("-j{workers}"), "-j12");
        assert_eq!(of("{workers}x{workers}"), "12x12");
        assert_eq!(of("{worker}"), "{worker}");
        assert!(mentions(OsStr::new("a{workers}b")) && !mentions(OsStr::new("workers")));
    }
}
