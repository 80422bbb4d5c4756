//! Trees of files that start workers, and what is seen in them.

use super::*;
use crate::finding::Threshold;

fn thresholds() -> Thresholds {
    let words = |list: &[&str]| Threshold::Words(list.iter().map(|word| (*word).to_owned()).collect());
    Thresholds::from_iter([
        (("workers-times-threads".into(), "most".into()), Threshold::Number(200.0)),
        (("workers-from-host-cpus".into(), "counts".into()), words(&["cpu_count", "nproc"])),
        (("celery-prefetch-long-tasks".into(), "long_task".into()), Threshold::Number(60.0)),
    ])
}

/// `path:line:column rule [inferred]` of everything seen.
fn seen(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| {
            let kind = crate::scan::walk::kind_by_name(std::path::Path::new(path)).unwrap();
            (SourceFile::new(path, text.as_bytes().to_vec()).unwrap(), kind)
        })
        .collect();
    let shown = |seen: &Observation| {
        let inferred = if seen.mitigations.is_empty() { "" } else { " inferred" };
        format!("{}:{}:{} {}{inferred}", seen.place.path, seen.place.line, seen.place.column, seen.rule)
    };
    observe(&files, &thresholds()).iter().map(shown).collect()
}

#[test]
fn gunicorn_is_understood_in_every_file_that_starts_it() {
    let cases = [
        (
            "Dockerfile",
            "FROM x\nCMD [\"gunicorn\", \"-k\", \"sync\", \"--threads\", \"4\", \"a:b\"]\n",
            "2:32",
        ),
        ("Dockerfile", "ENTRYPOINT [\"gunicorn\"]\nCMD [\"--worker-class=sync\", \"--threads=4\"]\n", "2:29"),
        ("Procfile", "web: gunicorn -k sync --threads 4 a:b\n", "1:23"),
        ("api.service", "[Service]\nExecStart=/opt/bin/gunicorn -k sync \\\n  --threads 4 a:b\n", "3:3"),
        (
            "start.sh",
            "#!/bin/sh\nset -e\n# gunicorn -k sync --threads 9\nexec gunicorn -k sync --threads=4 a:b\n",
            "4:23",
        ),
        ("compose.yaml", "services:\n  web:\n    command: gunicorn -k sync --threads 4 a:b\n", "3:31"),
        (
            "compose.yaml",
            "services:\n  web:\n    command:\n      - gunicorn\n      - -k\n      - sync\n      - --threads\n      - '4'\n",
            "7:9",
        ),
        (
            "compose.yaml",
            "services:\n  web:\n    command: >\n      sh -c \"gunicorn -k sync\n      --threads 4 a:b\"\n",
            "5:7",
        ),
        ("gunicorn.conf.py", "worker_class = 'sync'\nthreads = 4  # four\n", "2:11"),
    ];
    for (path, text, place) in cases {
        let expected: Vec<_> = (!place.is_empty())
            .then(|| format!("{path}:{place} gunicorn-sync-threads"))
            .into_iter()
            .collect();
        assert_eq!(seen(&[(path, text)]), expected, "{text}");
    }
    for silent in [
        "web: gunicorn -k gthread --threads 4\n",
        "web: gunicorn --threads 4\n",
        "web: pip install gunicorn -k sync --threads 4\n",
    ] {
        assert_eq!(seen(&[("Procfile", silent)]), [""; 0], "{silent}");
    }
}

#[test]
fn the_cpus_of_the_host_matter_in_containers_only() {
    let config =
        ("gunicorn.conf.py", "import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1\n");
    let through = ("gunicorn.conf.py", "import os\ncores = os.cpu_count()\nworkers = cores * 2\n");
    let docker = ("Dockerfile", "FROM x\nCMD [\"gunicorn\", \"a:b\"]\n");
    let limited = ("compose.yml", "services:\n  web:\n    command: gunicorn a:b\n    cpus: 0.5\n");
    assert_eq!(seen(&[config]), [""; 0]);
    assert_eq!(seen(&[config, docker]), ["gunicorn.conf.py:2:11 workers-from-host-cpus inferred"]);
    assert_eq!(seen(&[config, limited]), ["gunicorn.conf.py:2:11 workers-from-host-cpus"]);
    assert_eq!(seen(&[through, limited]), ["gunicorn.conf.py:3:11 workers-from-host-cpus"]);
    let shell = ("Dockerfile", "CMD gunicorn -w $(( 2 * $(nproc) + 1 )) a:b\n");
    assert_eq!(seen(&[shell]), ["Dockerfile:1:14 workers-from-host-cpus inferred"]);
}

#[test]
fn slots_are_workers_times_threads() {
    assert_eq!(
        seen(&[("Procfile", "web: gunicorn -w 64 --threads 8 a:b\n")]),
        ["Procfile:1:15 workers-times-threads"]
    );
    assert_eq!(seen(&[("Procfile", "web: gunicorn -w25 --threads 8 a:b\n")]), [""; 0]);
    assert_eq!(
        seen(&[("gunicorn_conf.py", "workers = 201\n")]),
        ["gunicorn_conf.py:1:11 workers-times-threads"]
    );
    let variable = "FROM x\nENV WEB_CONCURRENCY=300\nCMD [\"gunicorn\", \"a:b\"]\n";
    assert_eq!(seen(&[("Dockerfile", variable)]), ["Dockerfile:2:5 workers-times-threads"]);
}

#[test]
fn uvicorn_workers_are_measured_by_what_the_container_is_granted() {
    let docker = "FROM x\nCMD [\"uvicorn\", \"a:b\", \"--workers\", \"8\"]\n";
    assert_eq!(seen(&[("Dockerfile", docker)]), ["Dockerfile:2:24 uvicorn-workers-in-container inferred"]);
    let compose = |cpus: &str| {
        let limits = format!("    deploy:\n      resources:\n        limits:\n          cpus: '{cpus}'\n");
        let reserved = "        reservations:\n          cpus: '0.1'\n";
        format!(
            "services:\n  db:\n    image: x\n  web:\n    command: uvicorn a:b --workers 4\n{limits}{reserved}"
        )
    };
    assert_eq!(seen(&[("compose.yaml", &compose("2"))]), ["compose.yaml:5:26 uvicorn-workers-in-container"]);
    assert_eq!(seen(&[("compose.yaml", &compose("4"))]), [""; 0]);
    assert_eq!(seen(&[("Procfile", "web: uvicorn a:b --workers 8\n")]), [""; 0]);
    assert_eq!(seen(&[("Dockerfile", "CMD uvicorn a:b --reload --workers 2\n")]), [""; 0]);
}

#[test]
fn long_celery_tasks_are_not_fetched_ahead() {
    let rule = "celery-prefetch-long-tasks";
    assert_eq!(
        seen(&[("celeryconfig.py", "task_acks_late = True\n")]),
        [format!("celeryconfig.py:1:18 {rule}")]
    );
    let update = "app.conf.update(\n    task_time_limit=3600,\n    worker_prefetch_multiplier=4,\n)\n";
    assert_eq!(seen(&[("app.py", update)]), [format!("app.py:3:32 {rule}")]);
    let django = "CELERY_TASK_ACKS_LATE = True\nCELERY_WORKER_PREFETCH_MULTIPLIER = 1\n";
    assert_eq!(seen(&[("settings.py", django)]), [""; 0]);
    assert_eq!(seen(&[("a.py", "app.conf.task_time_limit = 30\n")]), [""; 0]);
    let given = ("Procfile", "worker: celery -A app worker --prefetch-multiplier=1\n");
    assert_eq!(seen(&[("a.py", "task_acks_late = True\n"), given]), [""; 0]);
}

#[test]
fn unfinished_files_end() {
    for text in [
        "CMD [\"gunicorn",
        "services:\n  a:\n    command:",
        "web:",
        "CMD \\",
        "services:",
        "- ",
        "x: \"",
        "é: [é",
    ] {
        for path in ["Dockerfile", "compose.yml", "Procfile", "a.service", "a.sh"] {
            assert_eq!(seen(&[(path, text)]), [""; 0]);
        }
    }
}
