//! Files that start workers: how many, of which kind, and whether that fits where they run. Dockerfiles, compose files,
//! manifests of Kubernetes, Procfiles, units, start scripts and the settings they name are read together.

mod compose;
mod kubernetes;
mod launch;
mod rows;
mod settings;
mod words;

use std::sync::Arc;

use self::launch::{Launch, Program, Setting, launches};
use self::words::Sort;
use super::Thresholds;
use super::source::SourceFile;
use super::walk::Kind;
use crate::catalog::Language;
use crate::finding::{Mitigation, Observation};
use crate::units;

/// The rule about what workers and threads amount to.
const PRODUCT: &str = "workers-times-threads";

/// Settings of Celery that say its tasks are long, or how many are fetched ahead.
const CELERY: [&str; 6] = [
    "worker_prefetch_multiplier",
    "celeryd_prefetch_multiplier",
    "task_acks_late",
    "acks_late",
    "task_time_limit",
    "task_soft_time_limit",
];

/// What the files show together.
pub(super) fn observe(files: &[(SourceFile, Kind)], thresholds: &Thresholds) -> Vec<Observation> {
    let deploy = files.iter().filter(|(_, kind)| *kind == Kind::Deploy).map(|(file, _)| file);
    let launches: Vec<Launch<'_>> = deploy.clone().flat_map(launches).collect();
    let python =
        files.iter().filter(|(_, kind)| *kind == Kind::Source(Language::Python)).map(|(file, _)| file);
    let surroundings = Surroundings {
        containers: deploy.clone().any(|file| Sort::of(&file.path).is_container()),
        cpus: launches.iter().filter_map(|launch| launch.cpus).reduce(f64::min),
        thresholds,
    };
    let mut seen = Vec::new();
    for launch in &launches {
        match launch.program {
            Program::Gunicorn => surroundings.gunicorn(&Server::started(launch), &mut seen),
            Program::Uvicorn => uvicorn(launch, &mut seen),
            Program::Celery => {}
        }
    }
    let multiplier_given = launches.iter().any(|launch| {
        launch.program == Program::Celery
            && launch.option("--prefetch-multiplier", "--prefetch-multiplier", None).is_some()
    });
    for file in python {
        if is_gunicorn(&file.path) {
            surroundings.gunicorn(&Server::configured(file), &mut seen);
        }
        if !multiplier_given && (file.mentions("acks_late") || file.mentions("time_limit")) {
            surroundings.celery(file, &mut seen);
        }
    }
    seen
}

fn is_gunicorn(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains("gunicorn"))
}

/// How a gunicorn is set, wherever that is written.
struct Server<'a> {
    file: &'a SourceFile,
    name: String,
    workers: Option<Setting>,
    threads: Option<Setting>,
    class: Option<Setting>,
    in_container: bool,
    cpus: Option<f64>,
    /// Names that stand for the number of CPUs of the host, and what they stand for.
    assigned: Vec<(String, Setting)>,
}

impl<'a> Server<'a> {
    fn started(launch: &Launch<'a>) -> Self {
        Self {
            file: launch.file,
            name: launch.name.clone(),
            workers: launch.option("-w", "--workers", Some("WEB_CONCURRENCY")),
            threads: launch.option("--threads", "--threads", None),
            class: launch.option("-k", "--worker-class", None),
            in_container: launch.in_container,
            cpus: launch.cpus,
            assigned: Vec::new(),
        }
    }

    fn configured(file: &'a SourceFile) -> Self {
        let assigned = settings::assignments(file);
        let find = |name: &str| {
            assigned.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let path = file.path.trim_end_matches(".py");
        Self {
            file,
            name: path.replace('/', "."),
            workers: find("workers"),
            threads: find("threads"),
            class: find("worker_class"),
            in_container: false,
            cpus: None,
            assigned: assigned.clone(),
        }
    }
}

struct Surroundings<'a> {
    /// Whether the project is put into containers.
    containers: bool,
    /// The least that any of them is granted.
    cpus: Option<f64>,
    thresholds: &'a Thresholds,
}

impl Surroundings<'_> {
    fn gunicorn(&self, server: &Server<'_>, seen: &mut Vec<Observation>) {
        let number = |setting: &Option<Setting>| setting.as_ref().and_then(Setting::number);
        let (workers, threads) = (number(&server.workers), number(&server.threads));
        let class = server.class.as_ref().map(|class| class.text.trim_matches(['"', '\'']));
        if let (Some("sync"), Some(setting), Some(threads)) = (class, &server.threads, threads)
            && threads > 1.0
        {
            let facts = vec![("threads", units::plain(threads))];
            seen.push(observation(
                "gunicorn-sync-threads",
                server.file,
                setting,
                &server.name,
                "gunicorn threads",
                facts,
            ));
        }
        self.host_cpus(server, seen);
        if let (Some(workers), Some(setting), Some(most)) =
            (workers, &server.workers, self.thresholds.number(PRODUCT, "most"))
        {
            let threads = threads.unwrap_or(1.0);
            if workers * threads > most {
                let facts = vec![
                    ("workers", units::plain(workers)),
                    ("threads", units::plain(threads)),
                    ("slots", units::plain(workers * threads)),
                ];
                seen.push(observation(
                    PRODUCT,
                    server.file,
                    setting,
                    &server.name,
                    "gunicorn workers",
                    facts,
                ));
            }
        }
    }

    fn host_cpus(&self, server: &Server<'_>, seen: &mut Vec<Observation>) {
        const RULE: &str = "workers-from-host-cpus";
        let counts = self.thresholds.words(RULE, "counts");
        let Some(workers) = &server.workers else { return };
        let direct = |text: &str| counts.iter().any(|count| text.contains(count.as_str()));
        let named =
            |(name, value): &(String, Setting)| direct(&value.text) && is_word_of(name, &workers.text);
        let from_host = direct(&workers.text) || server.assigned.iter().any(named);
        // Outside of containers the count is the truth.
        if !from_host || !(self.containers || server.in_container) {
            return;
        }
        let mut facts = vec![("expression", workers.text.clone())];
        let cpus = server.cpus.or(self.cpus);
        facts.extend(cpus.map(|cpus| ("granted", units::plain(cpus))));
        let mut observation =
            observation(RULE, server.file, workers, &server.name, "gunicorn workers", facts);
        // Whether there is a quota is not said anywhere, or a variable may override the count.
        let overridden = ["environ", "getenv", "env("].iter().any(|read| workers.text.contains(read));
        if cpus.is_none() || overridden {
            observation.mitigations.push(Mitigation::Inferred);
        }
        seen.push(observation);
    }

    fn celery(&self, file: &SourceFile, seen: &mut Vec<Observation>) {
        const RULE: &str = "celery-prefetch-long-tasks";
        let Some(long) = self.thresholds.number(RULE, "long_task") else { return };
        let set = settings::anywhere(file, &CELERY);
        let find = |name: &str| set.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let multiplier = find("worker_prefetch_multiplier").or_else(|| find("celeryd_prefetch_multiplier"));
        // One is right, none at all means without limit and is somebody's decision; anything else is looked at.
        if multiplier.is_some_and(|setting| setting.number().is_none_or(|number| number <= 1.0)) {
            return;
        }
        let limit = ["task_time_limit", "task_soft_time_limit"].iter().filter_map(|name| find(name));
        let limit = limit
            .filter(|setting| setting.number().is_some_and(|seconds| seconds >= long))
            .min_by(|a, b| a.number().unwrap_or(long).total_cmp(&b.number().unwrap_or(long)));
        // `acks_late` of a single task says nothing about the others.
        let late = find("task_acks_late").filter(|setting| setting.text == "True");
        let (Some(setting), Some(evidence)) = (multiplier.or(late).or(limit), late.or(limit)) else { return };
        let why = if Some(evidence) == late {
            "they are acknowledged late".to_owned()
        } else {
            format!("they may take {}", units::seconds(evidence.number().unwrap_or(long)))
        };
        let mut facts = vec![("evidence", why)];
        facts.extend(multiplier.map(|setting| ("multiplier", setting.text.clone())));
        let symbol = file.path.trim_end_matches(".py").replace('/', ".");
        seen.push(observation(RULE, file, setting, &symbol, "celery prefetch", facts));
    }
}

fn uvicorn(launch: &Launch<'_>, seen: &mut Vec<Observation>) {
    const RULE: &str = "uvicorn-workers-in-container";
    let Some(setting) = launch.option("--workers", "--workers", Some("WEB_CONCURRENCY")) else { return };
    let Some(workers) = setting.number().filter(|workers| *workers > 1.0) else { return };
    // `--reload` and workers exclude each other: uvicorn ignores the number.
    if !launch.in_container || launch.has("--reload") || launch.cpus.is_some_and(|cpus| workers <= cpus) {
        return;
    }
    let mut facts = vec![("workers", units::plain(workers))];
    facts.extend(launch.cpus.map(|cpus| ("granted", units::plain(cpus))));
    let mut observation = observation(RULE, launch.file, &setting, &launch.name, "uvicorn workers", facts);
    if launch.cpus.is_none() {
        observation.mitigations.push(Mitigation::Inferred);
    }
    seen.push(observation);
}

/// Whether a name stands in an expression as a word of its own.
fn is_word_of(name: &str, expression: &str) -> bool {
    expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|word| word == name)
}

fn observation(
    rule: &'static str,
    file: &SourceFile,
    setting: &Setting,
    symbol: &str,
    subject: &str,
    facts: Vec<(&'static str, String)>,
) -> Observation {
    let place = file.place(setting.bytes.0, setting.bytes.1);
    let symbol = if symbol.is_empty() { Arc::clone(&file.path) } else { symbol.into() };
    Observation { facts, ..Observation::new(rule, place, symbol, subject.into()) }
}

#[cfg(test)]
mod tests;
