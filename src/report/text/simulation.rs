//! A simulation for people: what was stated, what to do, a table per model with its knee, what the guides' numbers would
//! attain, and the curves.

use super::drawing::draw;
use super::page::{Page, Paragraph, Role, Text};
use crate::advice::simulate::{
    Binds, Guide, Modelled, Pipeline, Point, Scenario, Served, Serving, Simulation,
};
use crate::report::Style;
use crate::report::simulation::{Answer, Simulated, drawing};
use crate::units;

/// Narrower than this the table leaves its last column to a line of its own.
const INDENT: usize = 3;

/// The answer as lines of at most `style.width` columns.
pub(in crate::report) fn to_text(told: &Simulated<'_>, style: &Style) -> String {
    let mut page = Page::new(style);
    page.items(stated(told));
    page.blank();
    match told.answer {
        Answer::Pools(simulation) => {
            page.section("Do this", advised(simulation));
            page.section("Because", because(simulation));
            for model in &simulation.models {
                page.blank();
                let vetoed = simulation.vetoed.get(&model.strategy).filter(|_| model.shape.is_none());
                table(&mut page, model, vetoed, style);
            }
            guides(&mut page, simulation);
            at_random(&mut page, simulation);
            curves(&mut page, told, style);
        }
        Answer::Pipeline(pipeline) => {
            page.section("Do this", widening(pipeline));
            page.blank();
            steps(&mut page, pipeline, style);
        }
        Answer::Server(serving) => {
            page.section("Do this", serving_advice(serving, told.scenario));
            page.blank();
            shapes(&mut page, serving, style);
            page.blank();
            let caveat = "requests are taken to arrive at random and to differ in length; a shape answers \
                          within the second time in 95 of 100 cases";
            page.section("Careful", [Text::plain(caveat).into()]);
        }
    }
    page.finish()
}

/// What was stated, so that the answer can be read on its own.
fn stated(told: &Simulated<'_>) -> Vec<Text> {
    let Simulated { scenario, language, cores_of_this_computer, answer } = *told;
    let Scenario { work, host, .. } = scenario;
    let lock = if host.gil { " (GIL)" } else { "" };
    let from = if cores_of_this_computer { ", this computer's" } else { "" };
    let cores = if (host.cores - 1.0).abs() < f64::EPSILON {
        format!("1 core{from}")
    } else {
        format!("{} cores{from}", units::plain(host.cores))
    };
    let what = match answer {
        Answer::Pipeline(pipeline) => {
            let times: Vec<String> = pipeline.steps[..1]
                .iter()
                .flat_map(|step| &step.stages)
                .map(|one| units::seconds(one.time))
                .collect();
            return vec![
                Text::new(
                    Role::Strong,
                    &format!(
                        "{} through stages of {}",
                        units::count(pipeline.items, "task"),
                        times.join(", ")
                    ),
                ),
                Text::plain(&format!("one after another {}", units::seconds(pipeline.sequential))),
            ];
        }
        Answer::Pools(_) => units::count(work.items, "task"),
        Answer::Server(serving) => format!("{} requests/s", units::plain(serving.arrivals.rate)),
    };
    let mut parts = Vec::new();
    if work.wait > 0.0 {
        parts.push(format!("waits {}", units::seconds(work.wait)));
    }
    if work.cpu_gil > 0.0 {
        let under = if host.gil { " under the lock" } else { "" };
        parts.push(format!("computes {}{under}", units::seconds(work.cpu_gil)));
    }
    if work.cpu_native > 0.0 {
        let outside = if host.gil { " outside it" } else { "" };
        parts.push(format!("computes {}{outside}", units::seconds(work.cpu_native)));
    }
    let mut out = vec![Text::new(Role::Strong, &format!("{what}: each {}", parts.join(", ")))];
    if let Answer::Pools(simulation) = answer {
        out.push(Text::plain(&format!("one after another {}", units::seconds(simulation.sequential))));
    }
    if work.cv > 0.0 {
        let longest = units::seconds(work.longest);
        out.push(Text::plain(&format!("lengths vary by {}, the longest {longest}", units::percent(work.cv))));
    }
    out.push(Text::plain(&format!("{language}{lock}")));
    out.push(Text::plain(&cores));
    out
}

fn advised(simulation: &Simulation) -> Vec<Paragraph> {
    let Some(model) = simulation.best.and_then(|at| simulation.models.get(at)) else {
        let text = "stay sequential: no model asked about is worth its start and its upkeep";
        return vec![Text::new(Role::Strong, text).into()];
    };
    let Some(point) = model.at_knee() else { return Vec::new() };
    let gain = format!(
        ": {} ({}), {} → {}",
        units::factor(point.speedup),
        units::factors(simulation.sequential / point.slow, simulation.sequential / point.fast),
        units::seconds(simulation.sequential),
        units::rough_seconds(point.time)
    );
    let mut lines: Vec<Paragraph> =
        vec![Text::new(Role::Strong, &named(model)).and(Role::Plain, &gain).into()];
    let (low, high) = model.range;
    if low < high {
        lines.push(Text::plain(&format!("{low} to {high} workers do about as well")).into());
    }
    if model.batch > 1 {
        lines.push(Text::plain(&format!("send {} tasks at once", model.batch)).into());
    }
    lines
}

/// `threads × 64`, `processes 4 × 2 threads`, `hybrid: 8 threads → 2 processes`.
fn named(model: &Modelled) -> String {
    match (model.shape, model.stages) {
        (Some(shape), _) => format!("{} processes × {} threads", shape.processes, shape.threads),
        (_, Some((waiting, computing))) => format!("hybrid: {waiting} threads → {computing} processes"),
        _ => format!("{} × {}", model.strategy.name(), model.knee),
    }
}

fn because(simulation: &Simulation) -> Vec<Paragraph> {
    let Some(model) = simulation.best.or(Some(0)).and_then(|at| simulation.models.get(at)) else {
        return Vec::new();
    };
    let mut said = vec![Paragraph::from(Text::plain(&model.formula))];
    if let (Some(barrier), Some(point)) = (model.barrier, model.at_knee()) {
        let text = format!(
            "streaming takes {}; one stage after the other would take {}",
            units::rough_seconds(point.time),
            units::rough_seconds(barrier)
        );
        said.push(Text::plain(&text).into());
    }
    said
}

/// One model by number of workers.
fn table(page: &mut Page<'_>, model: &Modelled, vetoed: Option<&String>, style: &Style) {
    let title = match model.stages {
        Some(_) | None if model.shape.is_some() || model.stages.is_some() => named(model),
        _ => model.strategy.name().to_owned(),
    };
    let head =
        format!("{:>10}  {:>10}  {:>8}  {:>8}  what binds", "workers", "wall time", "speedup", "of best");
    page.line(1, Text::new(Role::Label, &title));
    page.section("", vetoed.map(|why| Text::plain(&format!("not advised: {why}")).into()));
    page.line(INDENT, Text::new(Role::Faint, &head));
    for point in &model.points {
        let guided = model.guide.filter(|guide| guide.low == point.workers || guide.high == point.workers);
        row(page, model, point, guided, style);
    }
}

fn row(page: &mut Page<'_>, model: &Modelled, point: &Point, guided: Option<Guide>, style: &Style) {
    let knee = point.workers == model.knee && model.shape.is_none() && model.stages.is_none();
    let mark = match (knee, style.unicode) {
        (true, true) => "→",
        (true, false) => ">",
        (false, _) => " ",
    };
    let binds = match (point.binds, guided) {
        (Binds::Workers, None) => "workers: more would be faster".to_owned(),
        (binds, Some(guide)) => {
            let end = if guide.low == point.workers { "low" } else { "high" };
            format!("{}; guides' {end} end", binds.name())
        }
        (binds, None) => binds.name().to_owned(),
    };
    let text = format!(
        "{mark}{:>9}  {:>10}  {:>8}  {:>8}  {binds}",
        units::grouped(point.workers as u64),
        units::seconds(point.time),
        units::factor(point.speedup),
        units::percent(point.of_best),
    );
    let role = if knee { Role::Strong } else { Role::Plain };
    let text = page.fit(Text::new(role, &text), page.width() - INDENT);
    page.line(INDENT, text);
}

/// Where the guides' number differs from the computed one, both and what theirs attains.
fn guides(page: &mut Page<'_>, simulation: &Simulation) {
    let told = |model: &Modelled| {
        let guide = model.guide?;
        // Within the guides' own range there is nothing to say.
        if (guide.low..=guide.high).contains(&model.knee) && guide.low_attains >= 0.9 {
            return None;
        }
        Some(format!(
            "\"2-5 threads per core\" are {}-{} here and reach {} to {} of the best; computed: {}",
            guide.low,
            guide.high,
            units::percent(guide.low_attains),
            units::percent(guide.high_attains),
            units::grouped(model.knee as u64)
        ))
    };
    let lines: Vec<Paragraph> =
        simulation.models.iter().filter_map(told).map(|text| Text::plain(&text).into()).collect();
    if !lines.is_empty() {
        page.blank();
        page.section("Guides", lines);
    }
}

fn at_random(page: &mut Page<'_>, simulation: &Simulation) {
    let told = |model: &Modelled| {
        let (time, point) = (model.at_random?, model.at_knee()?);
        (time > 1.05 * point.time).then(|| {
            format!(
                "{}: {} where connections land on processes at random, as under gunicorn",
                named(model),
                units::rough_seconds(time)
            )
        })
    };
    let lines: Vec<Paragraph> =
        simulation.models.iter().filter_map(told).map(|text| Text::plain(&text).into()).collect();
    if !lines.is_empty() {
        page.section("Careful", lines);
    }
}

/// The curves, each with its letter at its knee.
fn curves(page: &mut Page<'_>, told: &Simulated<'_>, style: &Style) {
    let mut plot = drawing(told);
    // What is one point is in the table.
    plot.series.retain(|series| series.points.len() > 2);
    draw(page, &plot, style);
}

fn widening(pipeline: &Pipeline) -> Vec<Paragraph> {
    let (Some(first), Some(best)) = (pipeline.steps.first(), pipeline.steps.get(pipeline.knee)) else {
        return Vec::new();
    };
    let ordinal = |at: usize| format!("stage {} ({})", at + 1, units::seconds(first.stages[at].time));
    if pipeline.knee == 0 {
        let text = format!("leave it: widening {} would bring next to nothing", ordinal(first.slowest));
        return vec![Text::new(Role::Strong, &text).into()];
    }
    let shape: Vec<String> = best.stages.iter().map(|stage| stage.workers.to_string()).collect();
    let text = format!("widen {} first", ordinal(first.slowest));
    let gain = format!(
        ": it sets the pace; with workers {} it takes {} instead of {}",
        shape.join("-"),
        units::seconds(best.time),
        units::seconds(first.time)
    );
    vec![Text::new(Role::Strong, &text).and(Role::Plain, &gain).into()]
}

fn steps(page: &mut Page<'_>, pipeline: &Pipeline, style: &Style) {
    let head = format!("{:>12}  {:>10}  {:>8}  {}", "workers", "wall time", "speedup", "what binds");
    page.line(INDENT, Text::new(Role::Faint, &head));
    for (i, step) in pipeline.steps.iter().enumerate() {
        let shape: Vec<String> = step.stages.iter().map(|stage| stage.workers.to_string()).collect();
        let mark = match (i == pipeline.knee, style.unicode) {
            (true, true) => "→",
            (true, false) => ">",
            (false, _) => " ",
        };
        let text = format!(
            "{mark}{:>11}  {:>10}  {:>8}  stage {}",
            shape.join("-"),
            units::seconds(step.time),
            units::factor(pipeline.sequential / step.time.max(f64::MIN_POSITIVE)),
            step.slowest + 1
        );
        let role = if i == pipeline.knee { Role::Strong } else { Role::Plain };
        page.line(INDENT, Text::new(role, &text));
    }
}

fn serving_advice(serving: &Serving, scenario: &Scenario) -> Vec<Paragraph> {
    let rate = serving.arrivals.rate;
    let mut lines: Vec<Paragraph> = Vec::new();
    match serving.advised.and_then(|at| serving.shapes.get(at)) {
        Some(served) => {
            let text = shape_in_words(served, scenario.host.gil);
            lines.push(Text::new(Role::Strong, &text).into());
        }
        None if serving.most <= rate => {
            let text = format!(
                "{} computers like this one, or less CPU per request",
                units::plain(serving.machines)
            );
            let why =
                format!(": {} requests/s are the most this one can compute", units::plain(serving.most));
            lines.push(Text::new(Role::Strong, &text).and(Role::Plain, &why).into());
        }
        None => {
            let soonest = serving.shapes.iter().filter_map(|one| one.response).map(|(_, tail)| tail);
            let soonest = soonest.fold(f64::INFINITY, f64::min);
            let text = match (serving.arrivals.latency, soonest.is_finite()) {
                (Some(latency), true) => format!(
                    "no shape answers 95 % within {}: the soonest is {}",
                    units::seconds(latency),
                    units::rough_seconds(soonest)
                ),
                _ => "no shape that is allowed keeps up: allow more slots".to_owned(),
            };
            lines.push(Text::new(Role::Strong, &text).into());
        }
    }
    let little = format!(
        "{} requests are in flight on average ({}/s × {}); {} slots leave room",
        units::plain(serving.busy),
        units::plain(rate),
        units::seconds(scenario.work.wait + scenario.work.cpu()),
        units::plain(serving.slots.ceil())
    );
    lines.push(Text::plain(&little).into());
    lines
}

/// `2 processes × 8 threads`; without an interpreter lock one process does.
fn shape_in_words(served: &Served, gil: bool) -> String {
    let threads = units::count(served.shape.threads as u64, "thread");
    if gil {
        format!("{} × {threads}", units::count(served.shape.processes as u64, "process"))
    } else {
        format!("{threads} (or as many tasks of an event loop)")
    }
}

fn shapes(page: &mut Page<'_>, serving: &Serving, style: &Style) {
    let head =
        format!("{:>12}  {:>6}  {:>10}  {:>9}  {:>9}", "proc × thr", "busy", "at most", "mean", "95 % in");
    page.line(INDENT, Text::new(Role::Faint, &head));
    for (i, served) in serving.shapes.iter().enumerate() {
        let advised = serving.advised == Some(i);
        let mark = match (advised, style.unicode) {
            (true, true) => "→",
            (true, false) => ">",
            (false, _) => " ",
        };
        let times = match served.response {
            Some((mean, tail)) => format!("{:>9}  {:>9}", units::seconds(mean), units::seconds(tail)),
            None => "queues without end".to_owned(),
        };
        let shape = format!("{} × {}", served.shape.processes, served.shape.threads);
        let text = format!(
            "{mark}{shape:>11}  {:>6}  {:>10}  {times}",
            units::percent(served.utilisation),
            format!("{}/s", units::plain(served.most.round())),
        );
        let role = if advised { Role::Strong } else { Role::Plain };
        page.line(INDENT, Text::new(role, &text));
    }
}
