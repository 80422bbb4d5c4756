//! The programs: what people run, each for a fraction of a second.

use std::path::PathBuf;

/// One program, as a shell command in a directory with a text file (`text`, some megabytes) and a small tree of
/// sources (`tree`). What it prints is the same every time.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Programs it needs.
    needs: &'static [&'static str],
    pub(crate) command: &'static [&'static str],
}

impl Program {
    /// The first program that is not installed.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        self.needs.iter().copied().find(|name| find(name).is_none())
    }
}

/// A program of the search path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|candidate| candidate.is_file())
}

pub(crate) fn all() -> Vec<Program> {
    let program = |name, needs, command| Program { name, needs, command };
    vec![
        // A shell that forks for every line.
        program(
            "sh-forks",
            &["sh"],
            &["sh", "-c", "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo $i | wc -c; done; exit 3"],
        ),
        program("bash-loop", &["bash"], &["bash", "-c", "for ((i=0; i<150000; i++)); do :; done; echo $i"]),
        program("signal", &["sh"], &["sh", "-c", "echo ends; kill -TERM $$"]),
        // The worker's parent ends at once; whoever reads the pipe waits for the worker.
        program(
            "orphan",
            &["sh", "cat"],
            // The shell has something left to do, so that the orphan has surely ended before it.
            &[
                "sh",
                "-c",
                "(sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo done' &) | cat; \
             i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done",
            ],
        ),
        program("gzip", &["gzip"], &["gzip", "-c", "-n", "-6", "text"]),
        // Threads where there are cores.
        program("xz", &["xz"], &["xz", "-c", "-3", "-T2", "text"]),
        program("sort", &["sort"], &["sort", "-r", "--parallel=2", "text"]),
        // Two programs and a pipe between them.
        program(
            "tar",
            &["tar", "gzip", "sh"],
            &["sh", "-c", "tar -cf - tree text | gzip -1 | wc -c | grep -c ."],
        ),
        program("find", &["find", "sh"], &["sh", "-c", "find tree -name '*.py' -exec cat {} + | wc -c"]),
        program(
            "git",
            &["git", "sh"],
            &[
                "sh",
                "-c",
                "rm -rf repository && git init -q repository && cp -r tree text repository && cd repository && \
             git add . && git -c user.name=a -c user.email=a@b -c commit.gpgsign=false \
             -c core.hooksPath=/dev/null commit -q -m one && git gc -q && git ls-files | wc -l",
            ],
        ),
        program("make-cc", &["make", "cc"], &["make", "-s", "-B", "-j2", "-C", "tree"]),
        program("compileall", &["python3"], &["python3", "-m", "compileall", "-q", "-f", "tree"]),
        program(
            "python-pool",
            &["python3"],
            &[
                "python3",
                "-c",
                "from multiprocessing import Pool\nif __name__ == '__main__':\n    with Pool(2) as pool: \
             print(sum(pool.map(hash, range(100000))))",
            ],
        ),
        // A child that ends early and is asked for late.
        program(
            "python-zombie",
            &["python3"],
            &[
                "python3",
                "-c",
                "import subprocess, sys, time\n\
             child = subprocess.Popen([sys.executable, '-c', 'sum(range(1000000))'])\n\
             done = time.process_time() + 0.4\n\
             while time.process_time() < done: pass\nprint(child.wait())",
            ],
        ),
        program(
            "node",
            &["node"],
            &[
                "node",
                "-e",
                "let n = 0; for (let i = 0; i < 3e7; i++) n = (n * 31 + i) | 0; console.log(n); process.exitCode = 7",
            ],
        ),
        program("java", &["java"], &["java", "-version"]),
    ]
}
