//! A sweep: which number of workers to use, the times, the law, the curve.

use std::time::Duration;

use serde_json::json;

use super::Style;
use super::plot::{self, Plot, Series};
use super::text::drawing::draw;
use super::text::page::{Page, Paragraph, Role, Text};
use crate::advice::{self, Strategy};
use crate::sweep::Samples;
use crate::sweep::usl::Fitted;
use crate::units;

const SCHEMA: &str = "boundby/sweep/1";
/// Points of a smooth curve.
const SMOOTH: u32 = 40;
/// Columns before the table.
const INDENT: usize = 3;
/// Times that differ by no more than so many deviations of single runs may be the same time.
const SAME: f64 = 2.0;
/// Numbers of workers from which on it can be said that none makes a difference.
const TRIED: usize = 3;

/// A sweep and what follows from it.
#[derive(Debug, Clone)]
pub struct Swept<'a> {
    /// The command, with its placeholder.
    pub command: Vec<String>,
    /// The times.
    pub samples: &'a Samples,
    /// The number to use; `None`: none works.
    pub knee: Option<u32>,
    /// What share of the best throughput is as good.
    pub near_best: f64,
    /// Whether the number is certain beside the noise.
    pub certain: bool,
    /// By how much one run is off, as a share.
    pub noise: f64,
    /// The scalability law, where enough numbers were tried.
    pub fitted: Option<Fitted>,
    /// What a profile predicted.
    pub predicted: Option<Predicted>,
    /// How long all of it took.
    pub took: Duration,
    /// Share of the CPUs that other programs took meanwhile.
    pub others: Option<f64>,
    /// From which share on that matters.
    pub many_others: f64,
}

/// What a profile predicts for one number of workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// With which model.
    pub strategy: Strategy,
    /// For how many.
    pub workers: u32,
    /// Its gain.
    pub predicted: advice::Predicted,
}

impl Swept<'_> {
    /// The time that speedups are relative to: that of the smallest number.
    fn first(&self) -> Option<(u32, f64)> {
        self.samples.curve().first().copied()
    }

    /// Whether no number makes a difference.
    fn is_flat(&self) -> bool {
        let times = self.samples.curve();
        let least = times.iter().map(|(_, time)| *time).fold(f64::INFINITY, f64::min);
        let most = times.iter().map(|(_, time)| *time).fold(0.0, f64::max);
        times.len() >= TRIED && (most / least).ln() <= SAME * self.noise
    }

    /// How much faster a number is than the smallest.
    fn speedup(&self, workers: u32) -> Option<f64> {
        Some(self.first()?.1 / self.samples.median(workers)?)
    }
}

/// For people.
#[must_use]
pub fn to_text(swept: &Swept<'_>, style: &Style) -> String {
    let mut page = Page::new(style);
    let numbers = swept.samples.times().len() + swept.samples.failed().len();
    page.items(vec![
        Text::new(Role::Strong, &swept.command.join(" ")),
        Text::plain(&units::count(numbers as u64, "number")),
        Text::plain(&units::count(swept.samples.runs() as u64, "run")),
        Text::plain(&units::seconds(swept.took.as_secs_f64())),
    ]);
    page.blank();
    page.section("Do this", advised(swept));
    page.section("Law", law(swept));
    page.section("Predicted", predicted(swept));
    page.section("Careful", careful(swept));
    page.blank();
    table(&mut page, swept);
    let plot = curve(swept);
    if plot.series[0].points.len() > 2 && !swept.is_flat() {
        draw(&mut page, &plot, style);
    }
    page.finish()
}

fn advised(swept: &Swept<'_>) -> Vec<Paragraph> {
    let Some(knee) = swept.knee else {
        return vec![
            Text::new(Role::Warning, "no number of workers works: see what failed, or --show").into(),
        ];
    };
    let (Some((first, before)), Some(time)) = (swept.first(), swept.samples.median(knee)) else {
        return Vec::new();
    };
    if swept.is_flat() {
        let text =
            "the number makes no difference: the command may ignore it, or its time is spent elsewhere";
        return vec![Text::new(Role::Strong, text).into()];
    }
    let times = format!("{} → {}", units::seconds(before), units::seconds(time));
    let gain = swept.speedup(knee).unwrap_or(1.0);
    let said = if knee == first {
        format!(": more do not help ({})", units::seconds(time))
    } else {
        format!(": {} as fast as {first}, {times}", units::factor(gain))
    };
    let workers = units::count(u64::from(knee), "worker");
    let mut lines: Vec<Paragraph> = vec![Text::new(Role::Strong, &workers).and(Role::Plain, &said).into()];
    if let Some((best, fastest)) = swept.samples.best().filter(|(best, _)| *best != knee) {
        let allowed = 1.0 / swept.near_best - 1.0;
        let better = if time / fastest - 1.0 <= allowed {
            format!("no more than {} better", units::percent(allowed))
        } else {
            let noise = units::percent(swept.noise);
            format!("not shown to be {} better beside runs that differ by {noise}", units::percent(allowed))
        };
        lines
            .push(Text::plain(&format!("{best} take {}, which is {better}", units::seconds(fastest))).into());
    }
    lines
}

fn law(swept: &Swept<'_>) -> Option<Paragraph> {
    let Fitted { usl, sigma, kappa, worst } = swept.fitted.filter(|_| !swept.is_flat())?;
    let range = |(low, high): (f64, f64)| format!("{}–{}", units::percent(low), units::percent(high));
    let peak = usl.peak().map(|peak| format!(", more than {peak:.0} would cost more than they bring"));
    let loss = if usl.kappa > 0.0 {
        format!("; each further worker costs all others {} (κ, {})", units::percent(usl.kappa), range(kappa))
    } else {
        String::new()
    };
    Some(
        Text::plain(&format!(
            "{} ({}) goes one at a time (σ){loss}{}; the fit is off by {} at most",
            units::percent(usl.sigma),
            range(sigma),
            peak.unwrap_or_default(),
            units::percent(worst)
        ))
        .into(),
    )
}

fn predicted(swept: &Swept<'_>) -> Option<Paragraph> {
    let Predicted { strategy, workers, predicted } = swept.predicted?;
    let said = format!(
        "{} × {workers}: {} ({})",
        strategy.name(),
        units::factor(predicted.speedup),
        units::factors(predicted.low, predicted.high)
    );
    let measured = match swept.speedup(workers) {
        Some(speedup) => format!("measured {} with as many", units::factor(speedup)),
        None => format!("{workers} were not tried"),
    };
    Some(Text::plain(&format!("{said}; {measured}")).into())
}

fn careful(swept: &Swept<'_>) -> Vec<Paragraph> {
    let mut lines = Vec::new();
    if !swept.certain && swept.knee.is_some() && !swept.is_flat() {
        lines.push(format!(
            "runs differ by {}, so that the number is not certain: give more --repeats, or a quiet machine",
            units::percent(swept.noise)
        ));
    }
    if let Some(others) = swept.others.filter(|others| *others >= swept.many_others) {
        lines.push(format!(
            "other programs took {} of the CPUs meanwhile: the number is that of a machine so busy",
            units::percent(others)
        ));
    }
    for (workers, why) in swept.samples.failed() {
        lines.push(format!("failed with {}: {why}", units::count(u64::from(*workers), "worker")));
    }
    lines.iter().map(|line| Text::plain(line).into()).collect()
}

fn table(page: &mut Page<'_>, swept: &Swept<'_>) {
    let Some((_, best)) = swept.samples.best() else { return };
    page.line(INDENT, Text::new(Role::Faint, "workers      time   speedup   of the best   runs"));
    for (workers, time) in swept.samples.curve() {
        let runs = swept.samples.times().get(&workers).map_or(0, Vec::len);
        let row = format!(
            "{workers:>7}  {:>8}  {:>8}  {:>12}  {runs:>5}",
            units::seconds(time),
            units::factor(swept.speedup(workers).unwrap_or(1.0)),
            units::percent(best / time),
        );
        let role = if Some(workers) == swept.knee { Role::Strong } else { Role::Plain };
        page.line(INDENT, Text::new(role, &row));
    }
}

/// For programs: schema `boundby/sweep/1`. Times in seconds; names may be added.
#[must_use]
pub fn to_json(swept: &Swept<'_>) -> String {
    let runs: Vec<_> = swept
        .samples
        .times()
        .iter()
        .map(|(workers, times)| {
            json!({
                "workers": workers,
                "times_s": times,
                "median_s": swept.samples.median(*workers),
                "speedup": swept.speedup(*workers),
            })
        })
        .collect();
    let failed: Vec<_> =
        swept.samples.failed().iter().map(|(workers, why)| json!({"workers": workers, "why": why})).collect();
    let value = json!({
        "schema": SCHEMA,
        "command": swept.command,
        "workers": swept.knee,
        "certain": swept.certain,
        "makes_a_difference": !swept.is_flat(),
        "noise": swept.noise,
        "others": swept.others,
        "numbers": runs,
        "failed": failed,
        "usl": swept.fitted.map(|fitted| json!({
            "rate": fitted.usl.rate,
            "sigma": fitted.usl.sigma,
            "sigma_low": fitted.sigma.0,
            "sigma_high": fitted.sigma.1,
            "kappa": fitted.usl.kappa,
            "kappa_low": fitted.kappa.0,
            "kappa_high": fitted.kappa.1,
            "worst": fitted.worst,
        })),
        "predicted": swept.predicted.map(|one| json!({
            "strategy": one.strategy.name(),
            "workers": one.workers,
            "speedup": one.predicted.speedup,
            "low": one.predicted.low,
            "high": one.predicted.high,
        })),
    });
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// The curve as a drawing.
#[must_use]
pub fn to_svg(swept: &Swept<'_>) -> String {
    plot::to_svg(&curve(swept))
}

/// Speedup by number of workers: as measured, and by the law.
fn curve(swept: &Swept<'_>) -> Plot {
    let measured: Vec<(f64, f64)> = swept
        .samples
        .times()
        .keys()
        .filter_map(|workers| Some((f64::from(*workers), swept.speedup(*workers)?)))
        .collect();
    let knee = swept.knee.and_then(|knee| Some((f64::from(knee), swept.speedup(knee)?)));
    let mut series = vec![Series {
        name: "measured".to_owned(),
        letter: 'm',
        points: measured.clone(),
        mark: knee,
        ..Series::default()
    }];
    if let (Some(fitted), Some((first, before))) = (swept.fitted, swept.first()) {
        let last = measured.last().map_or(1.0, |(workers, _)| *workers);
        let steps = (0..=SMOOTH).map(|step| {
            let share = f64::from(step) / f64::from(SMOOTH);
            f64::from(first) * (last / f64::from(first)).powf(share)
        });
        let points = steps.map(|workers| (workers, before / fitted.usl.time(workers))).collect();
        series.push(Series { name: "law".to_owned(), letter: 'l', points, ..Series::default() });
    }
    let title = swept.command.join(" ");
    Plot { title, across: "workers".to_owned(), up: "times as fast".to_owned(), series }
}
