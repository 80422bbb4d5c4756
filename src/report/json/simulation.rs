//! The public format of a simulation, schema `boundby/simulation/1`. Times in seconds, shares 0–1.

use schemars::JsonSchema;
use serde::Serialize;

use super::layout::Layout;
use super::names;
use super::write::derived;
use crate::advice::simulate::{Modelled, Pipeline, Point, Scenario, Serving, Shape, Simulation};
use crate::report::simulation::{Answer, Simulated};

/// The name and version of this format.
const SCHEMA: &str = "boundby/simulation/1";

/// What each model would give for work stated in numbers.
#[derive(Serialize, JsonSchema)]
pub(super) struct SimulationV1 {
    /// Name and version of this format.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    stated: StatedV1,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequential_s: Option<f64>,
    /// The model to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<BestV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<ModelV1>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<PipelineV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerV1>,
}

#[derive(Serialize, JsonSchema)]
struct BestV1 {
    #[schemars(schema_with = "names::strategies")]
    strategy: &'static str,
    workers: Option<usize>,
    wall_s: Option<f64>,
    speedup: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct StatedV1 {
    tasks: Option<u64>,
    wait_s: Option<f64>,
    cpu_s: Option<f64>,
    cpu_outside_lock_s: Option<f64>,
    critical_section_s: Option<f64>,
    serial_s: Option<f64>,
    cv: Option<f64>,
    longest_s: Option<f64>,
    payload: Option<f64>,
    language: String,
    gil: bool,
    cores: Option<f64>,
    downstream_limit: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct ModelV1 {
    #[schemars(schema_with = "names::strategies")]
    strategy: &'static str,
    pool: Option<ShapeV1>,
    stages: Option<ShapeV1>,
    workers: usize,
    workers_low: usize,
    workers_high: usize,
    workers_limited_by: String,
    workers_formula: String,
    batch: u64,
    wall_s: Option<f64>,
    /// Why the rules rule it out for such work; null: they do not.
    ruled_out: Option<String>,
    barrier_s: Option<f64>,
    at_random_s: Option<f64>,
    guide: Option<GuideV1>,
    points: Vec<PointV1>,
}

#[derive(Serialize, JsonSchema)]
struct ShapeV1 {
    processes: usize,
    threads: usize,
}

#[derive(Serialize, JsonSchema)]
struct GuideV1 {
    low: usize,
    high: usize,
    low_attains: Option<f64>,
    high_attains: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct PointV1 {
    workers: usize,
    rounds: u64,
    wall_s: Option<f64>,
    wall_low_s: Option<f64>,
    wall_high_s: Option<f64>,
    speedup: Option<f64>,
    of_best: Option<f64>,
    binds: &'static str,
    knee: bool,
}

#[derive(Serialize, JsonSchema)]
struct PipelineV1 {
    tasks: u64,
    steps: Vec<StepV1>,
    /// The stage to widen first, from 1.
    widen: usize,
    knee: usize,
}

#[derive(Serialize, JsonSchema)]
struct StepV1 {
    workers: Vec<usize>,
    wall_s: Option<f64>,
    slowest: usize,
}

#[derive(Serialize, JsonSchema)]
struct ServerV1 {
    rate: Option<f64>,
    latency_s: Option<f64>,
    in_flight: Option<f64>,
    slots: Option<f64>,
    most: Option<f64>,
    machines: Option<f64>,
    advised: Option<ShapeV1>,
    shapes: Vec<ServedV1>,
}

#[derive(Serialize, JsonSchema)]
struct ServedV1 {
    pool: ShapeV1,
    utilisation: Option<f64>,
    most: Option<f64>,
    mean_s: Option<f64>,
    p95_s: Option<f64>,
}

/// The answer, ending in a newline.
pub(in crate::report) fn to_json(told: &Simulated<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Layout::new());
    contract(told).serialize(&mut serializer).expect("string keys, and writing to memory cannot fail");
    bytes.push(b'\n');
    bytes
}

fn contract(told: &Simulated<'_>) -> SimulationV1 {
    let empty = SimulationV1 {
        schema: SCHEMA,
        stated: stated(told),
        sequential_s: None,
        best: None,
        models: None,
        pipeline: None,
        server: None,
    };
    match told.answer {
        Answer::Pools(simulation) => SimulationV1 {
            sequential_s: derived(simulation.sequential),
            best: Some(best(simulation)),
            models: Some(simulation.models.iter().map(|one| model(one, simulation)).collect()),
            ..empty
        },
        Answer::Pipeline(one) => {
            SimulationV1 { sequential_s: derived(one.sequential), pipeline: Some(pipeline(one)), ..empty }
        }
        Answer::Server(serving) => SimulationV1 { server: Some(server(serving)), ..empty },
    }
}

fn stated(told: &Simulated<'_>) -> StatedV1 {
    let Scenario { work, host, downstream, .. } = told.scenario;
    let pools = matches!(told.answer, Answer::Pools(_));
    let of_tasks =
        |value: f64| if matches!(told.answer, Answer::Pipeline(_)) { None } else { derived(value) };
    StatedV1 {
        tasks: (!matches!(told.answer, Answer::Server(_))).then_some(work.items),
        wait_s: of_tasks(work.wait),
        cpu_s: of_tasks(work.cpu_gil),
        cpu_outside_lock_s: of_tasks(work.cpu_native),
        critical_section_s: of_tasks(work.held),
        serial_s: of_tasks(work.serial),
        cv: pools.then(|| derived(work.cv)).flatten(),
        longest_s: pools.then(|| derived(work.longest)).flatten(),
        payload: of_tasks(work.payload),
        language: told.language.to_owned(),
        gil: host.gil,
        cores: derived(host.cores),
        downstream_limit: *downstream,
    }
}

fn best(simulation: &Simulation) -> BestV1 {
    let Some(model) = simulation.best.and_then(|at| simulation.models.get(at)) else {
        return BestV1 {
            strategy: "sequential",
            workers: None,
            wall_s: derived(simulation.sequential),
            speedup: Some(1.0),
        };
    };
    BestV1 {
        strategy: model.strategy.name(),
        workers: Some(model.knee),
        wall_s: model.at_knee().and_then(|point| derived(point.time)),
        speedup: model.at_knee().and_then(|point| derived(point.speedup)),
    }
}

fn model(model: &Modelled, simulation: &Simulation) -> ModelV1 {
    let (low, high) = model.range;
    ModelV1 {
        strategy: model.strategy.name(),
        pool: model.shape.map(shape),
        stages: model.stages.map(|(threads, processes)| ShapeV1 { processes, threads }),
        workers: model.knee,
        workers_low: low,
        workers_high: high,
        workers_limited_by: model.binding.clone(),
        workers_formula: model.formula.clone(),
        batch: model.batch,
        wall_s: model.at_knee().and_then(|point| derived(point.time)),
        ruled_out: simulation.vetoed.get(&model.strategy).filter(|_| model.shape.is_none()).cloned(),
        barrier_s: model.barrier.and_then(derived),
        at_random_s: model.at_random.and_then(derived),
        guide: model.guide.map(|guide| GuideV1 {
            low: guide.low,
            high: guide.high,
            low_attains: derived(guide.low_attains),
            high_attains: derived(guide.high_attains),
        }),
        points: model.points.iter().map(|one| point(one, model.knee)).collect(),
    }
}

fn shape(shape: Shape) -> ShapeV1 {
    ShapeV1 { processes: shape.processes, threads: shape.threads }
}

fn point(point: &Point, knee: usize) -> PointV1 {
    PointV1 {
        workers: point.workers,
        rounds: point.rounds,
        wall_s: derived(point.time),
        wall_low_s: derived(point.fast),
        wall_high_s: derived(point.slow),
        speedup: derived(point.speedup),
        of_best: derived(point.of_best),
        binds: point.binds.name(),
        knee: point.workers == knee,
    }
}

fn pipeline(pipeline: &Pipeline) -> PipelineV1 {
    let step = |step: &crate::advice::simulate::Widened| StepV1 {
        workers: step.stages.iter().map(|stage| stage.workers).collect(),
        wall_s: derived(step.time),
        slowest: step.slowest + 1,
    };
    PipelineV1 {
        tasks: pipeline.items,
        widen: pipeline.steps.first().map_or(1, |step| step.slowest + 1),
        steps: pipeline.steps.iter().map(step).collect(),
        knee: pipeline.knee,
    }
}

fn server(serving: &Serving) -> ServerV1 {
    let advised = serving.advised.and_then(|at| serving.shapes.get(at)).map(|one| shape(one.shape));
    ServerV1 {
        rate: derived(serving.arrivals.rate),
        latency_s: serving.arrivals.latency.and_then(derived),
        in_flight: derived(serving.busy),
        slots: derived(serving.slots),
        most: derived(serving.most),
        machines: derived(serving.machines),
        advised,
        shapes: serving
            .shapes
            .iter()
            .map(|one| ServedV1 {
                pool: shape(one.shape),
                utilisation: derived(one.utilisation),
                most: derived(one.most),
                mean_s: one.response.and_then(|(mean, _)| derived(mean)),
                p95_s: one.response.and_then(|(_, tail)| derived(tail)),
            })
            .collect(),
    }
}
