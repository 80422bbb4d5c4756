//! The processed profile format of the Firefox Profiler, written by the crate that samply writes it with. What was
//! measured are sums, not a timeline, so stacks are laid one after another, those with most time first.

use fxprof_processed_profile::{
    CategoryColor, CpuDelta, Frame, FrameFlags, FrameInfo, Profile as Processed, ReferenceTimestamp,
    SamplingInterval, Timestamp, WeightType,
};
use std::time::Duration;

use super::{Part, rows};
use crate::profile::Profile;
use crate::wait::{Account, WaitKind};

/// The profile as JSON: a track for each part, weights in milliseconds of wall time.
pub(in crate::report) fn to_firefox(profile: &Profile) -> String {
    let name = profile.command.join(" ");
    let epoch = ReferenceTimestamp::from_duration_since_unix_epoch(Duration::ZERO);
    let mut processed = Processed::new(&name, epoch, SamplingInterval::from_millis(1));
    processed.set_symbolicated(true);
    let categories = Account::ALL.map(|account| processed.add_category(account.name(), color(account)));
    let category = |account| {
        let at = Account::ALL.into_iter().position(|known| known == account).unwrap_or(0);
        categories[at]
    };
    let start = Timestamp::from_nanos_since_reference(0);
    let process = processed.add_process(&name, 1, start);
    let rows = rows(profile);
    for (i, (part, title)) in Part::ALL.into_iter().enumerate() {
        // Main threads are given names of their own by the viewer.
        let track = processed.add_thread(process, i as u32 + 1, start, false);
        processed.add_initial_visible_thread(track);
        processed.set_thread_name(track, title);
        processed.set_thread_samples_weight_type(track, WeightType::TracingMs);
        let mut at = Duration::ZERO;
        for row in rows.iter().filter(|row| part.holds(row.account)) {
            let weight = i32::try_from(row.wall.as_millis()).unwrap_or(i32::MAX);
            if weight == 0 {
                continue;
            }
            let frames: Vec<FrameInfo> = row
                .levels
                .iter()
                .map(|level| FrameInfo {
                    frame: Frame::Label(processed.intern_string(&level.name)),
                    category_pair: category(row.account).into(),
                    flags: FrameFlags::empty(),
                })
                .collect();
            let stack = processed.intern_stack_frames(track, frames.into_iter());
            let cpu = if row.account == Account::Cpu { row.wall } else { Duration::ZERO };
            let delta = CpuDelta::from_nanos(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX));
            at += row.wall;
            let time =
                Timestamp::from_nanos_since_reference(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX));
            processed.add_sample(track, time, stack, delta, weight);
        }
    }
    serde_json::to_string(&processed).map(|text| text + "\n").unwrap_or_default()
}

fn color(account: Account) -> CategoryColor {
    match account {
        Account::Cpu => CategoryColor::Orange,
        Account::Wait(WaitKind::Network) => CategoryColor::Blue,
        Account::Wait(WaitKind::Disk | WaitKind::Paging) => CategoryColor::Brown,
        Account::Wait(WaitKind::Lock | WaitKind::Gil) => CategoryColor::Purple,
        Account::Wait(WaitKind::Pipe | WaitKind::Child) => CategoryColor::Green,
        Account::Runnable | Account::Throttled => CategoryColor::Red,
        Account::Wait(_) => CategoryColor::LightBlue,
        Account::Unattributed => CategoryColor::Gray,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn each_track_has_its_stacks_with_their_weight() {
        let text = super::to_firefox(&super::super::tests::profile());
        let file: Value = serde_json::from_str(&text).unwrap();
        let weight = |name: &str| -> i64 {
            let tracks = file["threads"].as_array().unwrap();
            let track = tracks.iter().find(|track| track["name"] == name).unwrap();
            track["samples"]["weight"].as_array().unwrap().iter().filter_map(Value::as_i64).sum()
        };
        assert_eq!(["wall", "on-CPU", "off-CPU"].map(weight), [1000, 90, 910]);
        assert_eq!(file["threads"][0]["samples"]["weightType"], "tracing-ms");
        assert_eq!(text, super::to_firefox(&super::super::tests::profile()));
    }
}
