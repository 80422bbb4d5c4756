//! The public format of an answer to a description in words, schema `boundby/description/1`.

use serde::Serialize;

use crate::advice::Described;

#[derive(Serialize)]
struct DescriptionV1<'a> {
    schema: &'static str,
    task: &'a str,
    /// What the guide's `concurrency_decision_helper` says: threads, processes or mixed.
    helper: &'a str,
    words_for_waiting: usize,
    words_for_computing: usize,
    /// What its `choose_concurrency_approach` says.
    approach: &'a str,
    /// What a measurement would say otherwise.
    instead: &'a [String],
    how_to_learn: &'a str,
}

/// The answer, ending in a newline.
pub(in crate::report) fn description_to_json(task: &str, described: &Described) -> Vec<u8> {
    let (waiting, computing) = described.scores;
    let contract = DescriptionV1 {
        schema: "boundby/description/1",
        task,
        helper: described.helper,
        words_for_waiting: waiting,
        words_for_computing: computing,
        approach: described.approach,
        instead: &described.instead,
        how_to_learn: crate::facts::PROFILE,
    };
    let mut bytes =
        serde_json::to_vec_pretty(&contract).expect("string keys, and writing to memory cannot fail");
    bytes.push(b'\n');
    bytes
}
