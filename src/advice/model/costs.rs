//! The coefficients of the model, read by name from the rules. A missing one is an error when rules are loaded,
//! not a silent default here.

macro_rules! costs {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Coefficients in base units (seconds, bytes, bytes per second, counts, ratios).
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct Costs {
            $($(#[doc = $doc])+ pub $name: f64,)+
        }

        impl Costs {
            /// Every coefficient the model needs, as named in `rules/model.yaml`.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// Reads all of them.
            ///
            /// # Errors
            /// The names `lookup` does not know, or knows as something that is not finite or is negative.
            pub fn read(lookup: impl Fn(&str) -> Option<f64>) -> Result<Self, Vec<&'static str>> {
                let usable = |name: &str| lookup(name).filter(|value| value.is_finite() && *value >= 0.0);
                let missing: Vec<_> =
                    Self::NAMES.iter().copied().filter(|name| usable(name).is_none()).collect();
                if missing.is_empty() {
                    Ok(Self { $($name: usable(stringify!($name)).unwrap_or_default(),)+ })
                } else {
                    Err(missing)
                }
            }
        }
    };
}

costs! {
    /// Starting and joining one thread under an interpreter lock, for pools up to `threads_many`.
    thread_start,
    /// The same for each thread beyond `threads_many`.
    thread_start_many,
    /// Pool size from which threads become dearer to start.
    threads_many,
    /// Starting and joining one thread where no interpreter is in the way, for pools of any size.
    native_thread_start,
    /// CPU under the interpreter lock to hand one item to a pool thread.
    thread_item,
    /// CPU to hand one item to a pool thread in a runtime without an interpreter lock.
    native_item,
    /// Starting an event loop, imports included.
    async_start,
    /// CPU on the loop for one task: creation, wake-ups, a semaphore.
    async_item,
    /// Starting a process pool, without its workers.
    process_pool_start,
    /// Starting one worker process.
    process_start,
    /// CPU in the parent to send one item to a worker process and take its result.
    process_item_parent,
    /// CPU in the worker process to receive one item and answer.
    process_item_worker,
    /// CPU per item, in the parent, when items are sent in batches.
    process_item_batched,
    /// Bytes per second the parent can serialise.
    parent_bandwidth,
    /// Bytes per second a worker process can serialise.
    worker_bandwidth,
    /// How long a thread holds the interpreter lock while others ask for it.
    gil_quantum,
    /// How long a thread computes before another one that is ready gets its core.
    cpu_slice,
    /// Requests a disk is assumed to serve at once.
    disk_depth,
    /// A worker count is good enough when it reaches this share of the best throughput.
    near_best,
    /// A worker count is about as good when it reaches this share of the best throughput.
    about_as_good,
    /// Relative widening of the band between best case and lock step.
    band_margin,
    /// CPU of an item on a loop that finds many ready, over that on a loop woken for each, at best.
    loop_batched,
    /// A share this close to where a verdict turns makes it uncertain.
    confidence_edge,
    /// Widening of the band, seconds, whatever the length of the run.
    band_seconds,
    /// Batches are made so large that they cost this many times the overhead of sending them.
    batch_overhead,
    /// At least this many batches for every worker.
    batches_per_worker,
    /// Items between two stages for each worker of the second.
    queue_per_worker,
    /// Slots of a server over those its arrivals keep busy.
    server_headroom,
    /// Share of the time a server's CPU may be busy.
    server_utilisation,
    /// Share of requests that may take longer than the time that is promised.
    server_tail,
    /// Threads per core that the guides recommend for waiting, from.
    guide_threads_low,
    /// Threads per core that the guides recommend for waiting, to.
    guide_threads_high,
    /// Processes per core that the guides recommend.
    guide_processes,
    /// Confidence in what was stated instead of measured.
    confidence_stated,
    /// Factor on it for each decisive part that had to be assumed.
    confidence_guessed,
    /// Share of a computer's pace that it keeps as one of several.
    cluster_efficiency,
    /// The same where computers exchange their data.
    cluster_efficiency_shuffled,
    /// Bytes per second that a computer exchanges with the others.
    cluster_network,
    /// Share of the time that computers of a cluster are planned to be busy.
    cluster_busy,
    /// Seconds to start a cluster and its first tasks.
    cluster_start,
    /// Share of a computer's memory that data may take.
    cluster_memory,
    /// Bytes in memory for each byte of data as it is stored.
    cluster_expansion,
    /// Tasks for each core, so that the last ones leave none idle for long.
    cluster_tasks_per_core,
    /// Hard cap on threads.
    max_threads,
    /// Hard cap on processes.
    max_processes,
    /// Hard cap on tasks of an event loop.
    max_tasks,
    /// Share of a process's time that must be waiting before more processes than cores make sense.
    oversubscribe_wait,
    /// Resident memory of one more thread where it was not measured.
    thread_resident,
    /// Resident memory of one more task of an event loop.
    task_resident,
    /// Resident memory of one more process where it was not measured.
    process_resident,
    /// How far a recording may be off the counted items and still be replayed.
    recording_tolerance,
    /// Share of an item that must be waiting for its waits to tell items apart.
    item_wait_least,
    /// Pieces a computation without visible items is assumed to be divisible into.
    divisible_pieces,
    /// Share of such a computation that can be divided, in the pessimistic case.
    divisible_low,
    /// Weight of one step of effort against the logarithm of the gain.
    effort_weight,
    /// Effort of another pool size for a pool that exists.
    effort_resize,
    /// Effort of a thread pool.
    effort_threads,
    /// Effort of async where the program has an event loop already.
    effort_async_already,
    /// Effort of rewriting to async.
    effort_async,
    /// Effort of a process pool.
    effort_processes,
    /// Effort of two stages.
    effort_hybrid,
    /// Confidence from which a statement counts as high.
    confidence_high,
    /// Confidence from which a statement counts as medium.
    confidence_medium,
    /// Factor on confidence for each fact a decision lacked.
    confidence_unknown,
    /// Weight of the statistical error of few items on confidence.
    confidence_items,
    /// Workers at once from which the other side's limit counts as an assumption.
    crowd,
    /// Factor on confidence where the parallel capacity was not measured.
    confidence_no_probe,
    /// Exponent on the ratio of the ends of the interval.
    confidence_band_exponent,
}
