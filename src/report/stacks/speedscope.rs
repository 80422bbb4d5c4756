//! The file format of speedscope (<https://www.speedscope.app/file-format-schema.json>): sampled profiles over shared
//! frames. One profile each for the wall time, its computing and its waiting part.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Level, Part, rows};
use crate::profile::Profile;

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: String,
    exporter: &'static str,
    #[serde(rename = "activeProfileIndex")]
    active: usize,
    shared: Shared<'a>,
    profiles: Vec<Sampled>,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<FrameOf<'a>>,
}

#[derive(Serialize)]
struct FrameOf<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled {
    r#type: &'static str,
    name: &'static str,
    unit: &'static str,
    start_value: u128,
    end_value: u128,
    /// Frames of each stack, outermost first.
    samples: Vec<Vec<usize>>,
    weights: Vec<u128>,
}

/// The file; weights are microseconds of wall time.
pub(in crate::report) fn to_speedscope(profile: &Profile) -> String {
    let rows = rows(profile);
    let mut numbers: BTreeMap<&Level<'_>, usize> = BTreeMap::new();
    let mut frames = Vec::new();
    let stacks: Vec<Vec<usize>> = rows
        .iter()
        .map(|row| {
            let number = |level| {
                *numbers.entry(level).or_insert_with(|| {
                    frames.push(frame(level));
                    frames.len() - 1
                })
            };
            row.levels.iter().map(number).collect()
        })
        .collect();
    let picture = |(part, name): (Part, &'static str)| {
        let of_part = || {
            rows.iter().zip(&stacks).filter(|(row, _)| part.holds(row.account) && row.wall.as_micros() > 0)
        };
        let weights: Vec<u128> = of_part().map(|(row, _)| row.wall.as_micros()).collect();
        let samples = of_part().map(|(_, stack)| stack.clone()).collect();
        let end_value = weights.iter().sum();
        Sampled { r#type: "sampled", name, unit: "microseconds", start_value: 0, end_value, samples, weights }
    };
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        name: profile.command.join(" "),
        exporter: concat!("boundby@", env!("CARGO_PKG_VERSION")),
        active: 0,
        profiles: Part::ALL.into_iter().map(picture).collect(),
        shared: Shared { frames },
    };
    serde_json::to_string(&file).map(|text| text + "\n").unwrap_or_default()
}

fn frame<'a>(level: &Level<'a>) -> FrameOf<'a> {
    match level.frame {
        Some(frame) => {
            FrameOf { name: frame.function.clone(), file: frame.file.as_deref(), line: frame.line }
        }
        None => FrameOf { name: level.name.clone(), file: None, line: None },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn the_parts_add_up_to_the_whole_and_refer_to_frames_that_are_there() {
        let text = super::to_speedscope(&super::super::tests::profile());
        let file: Value = serde_json::from_str(&text).unwrap();
        let frames = file["shared"]["frames"].as_array().unwrap().len() as u64;
        let ends: Vec<u64> = file["profiles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|profile| {
                let (samples, weights) =
                    (profile["samples"].as_array().unwrap(), profile["weights"].as_array().unwrap());
                assert_eq!(samples.len(), weights.len());
                let all = samples.iter().flat_map(|stack| stack.as_array().unwrap());
                assert!(
                    all.clone().count() > 0 && all.into_iter().all(|frame| frame.as_u64().unwrap() < frames)
                );
                assert_eq!(profile["endValue"], weights.iter().filter_map(Value::as_u64).sum::<u64>());
                profile["endValue"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(ends, [1_000_000, 90_000, 910_000]);
    }
}
