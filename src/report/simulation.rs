//! What a simulation answered, and the formats it can be written in. One renderer per format stands beside those of
//! the other reports.

use super::formats::Formats;
use super::{Style, json, plot, text};
use crate::advice::Strategy;
use crate::advice::simulate::{Pipeline, Scenario, Serving, Simulation};
use crate::units;

/// What was stated and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Simulated<'a> {
    /// What was stated.
    pub scenario: &'a Scenario,
    /// The language it was stated for.
    pub language: &'a str,
    /// Whether the number of cores is that of this computer.
    pub cores_of_this_computer: bool,
    /// The answer.
    pub answer: Answer<'a>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// Pools of workers.
    Pools(&'a Simulation),
    /// A pipeline.
    Pipeline(&'a Pipeline),
    /// A server.
    Server(&'a Serving),
}

/// The formats of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SimulationFormat {
    /// For people: a table and a drawing.
    #[default]
    Text,
    /// For programs (`boundby/simulation/1`).
    Json,
    /// The drawing as SVG.
    Svg,
}

type Render = fn(&Simulated<'_>, &Style) -> Vec<u8>;

const RENDERERS: Formats<SimulationFormat, Render> = Formats(&[
    (SimulationFormat::Text, "text", |told, style| text::simulation::to_text(told, style).into_bytes()),
    (SimulationFormat::Json, "json", |told, _| json::simulation::to_json(told)),
    (SimulationFormat::Svg, "svg", |told, _| plot::to_svg(&drawing(told)).into_bytes()),
]);

impl SimulationFormat {
    /// Every format, in the order of the help text.
    pub fn all() -> impl Iterator<Item = Self> {
        RENDERERS.all()
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        RENDERERS.name(self)
    }

    /// The format with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        RENDERERS.named(name)
    }
}

/// The answer as bytes, ending in a newline. Same answer and style in, same bytes out.
#[must_use]
pub fn render(told: &Simulated<'_>, format: SimulationFormat, style: &Style) -> Vec<u8> {
    RENDERERS.renderer(format)(told, style)
}

/// The curves of an answer.
pub(super) fn drawing(told: &Simulated<'_>) -> plot::Plot {
    match told.answer {
        Answer::Pools(simulation) => of_pools(simulation, told.scenario),
        Answer::Pipeline(pipeline) => of_pipeline(pipeline),
        Answer::Server(serving) => of_server(serving),
    }
}

fn of_pools(simulation: &Simulation, scenario: &Scenario) -> plot::Plot {
    let float = |&(workers, speedup): &(usize, f64)| (workers as f64, speedup);
    let series = simulation.models.iter().map(|model| plot::Series {
        name: match (model.shape, model.strategy) {
            (Some(shape), _) => format!("{}x{}", shape.processes, shape.threads),
            (None, strategy) => strategy.name().to_owned(),
        },
        letter: letter(model.strategy, model.shape.is_some()),
        points: model.curve.iter().map(float).collect(),
        mark: model.at_knee().map(|point| (point.workers as f64, point.speedup)),
        band: Vec::new(),
    });
    plot::Plot {
        title: format!(
            "{}, one after another {}",
            units::count(scenario.work.items, "task"),
            units::seconds(simulation.sequential)
        ),
        across: "workers".to_owned(),
        up: "times as fast".to_owned(),
        series: series.collect(),
    }
}

fn letter(strategy: Strategy, shape: bool) -> char {
    match strategy {
        _ if shape => 'x',
        Strategy::Threads => 't',
        Strategy::Async => 'a',
        Strategy::Processes => 'p',
        Strategy::Hybrid => 'h',
        _ => 's',
    }
}

fn of_pipeline(pipeline: &Pipeline) -> plot::Plot {
    let workers = |stages: &[crate::advice::simulate::Stage]| {
        stages.iter().map(|stage| stage.workers as f64).sum::<f64>()
    };
    let point = |step: &crate::advice::simulate::Widened| {
        (workers(&step.stages), pipeline.sequential / step.time.max(f64::MIN_POSITIVE))
    };
    plot::Plot {
        title: format!(
            "{} through {}",
            units::count(pipeline.items, "task"),
            units::count(pipeline.steps.first().map_or(0, |step| step.stages.len()) as u64, "stage")
        ),
        across: "workers in all".to_owned(),
        up: "times as fast".to_owned(),
        series: vec![plot::Series {
            name: "pipeline".to_owned(),
            letter: 'p',
            points: pipeline.steps.iter().map(point).collect(),
            mark: pipeline.steps.get(pipeline.knee).map(point),
            band: Vec::new(),
        }],
    }
}

fn of_server(serving: &Serving) -> plot::Plot {
    let points =
        serving.shapes.iter().filter_map(|one| Some((one.shape.slots() as f64, one.response?.1 * 1e3)));
    plot::Plot {
        title: format!("{} requests a second", units::plain(serving.arrivals.rate)),
        across: "slots".to_owned(),
        up: "ms, 95 % below".to_owned(),
        series: vec![plot::Series {
            name: "response".to_owned(),
            letter: 'r',
            points: points.collect(),
            mark: serving
                .advised
                .and_then(|at| serving.shapes.get(at))
                .and_then(|one| Some((one.shape.slots() as f64, one.response?.1 * 1e3))),
            band: Vec::new(),
        }],
    }
}
