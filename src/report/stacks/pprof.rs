//! pprof's `profile.proto` (<https://github.com/google/pprof/blob/main/proto/profile.proto>), not compressed, which its
//! readers accept. Values of a sample: wall time, CPU time, waiting time, waits.

use std::collections::BTreeMap;

use super::{Level, rows};
use crate::profile::Profile;
use crate::wait::Account;

/// Field numbers of the messages that are written.
mod field {
    pub(super) const PROFILE_SAMPLE_TYPE: u32 = 1;
    pub(super) const PROFILE_SAMPLE: u32 = 2;
    pub(super) const PROFILE_LOCATION: u32 = 4;
    pub(super) const PROFILE_FUNCTION: u32 = 5;
    pub(super) const PROFILE_STRING_TABLE: u32 = 6;
    pub(super) const PROFILE_DURATION_NANOS: u32 = 10;
    pub(super) const PROFILE_DEFAULT_SAMPLE_TYPE: u32 = 14;
    pub(super) const VALUE_TYPE: [u32; 2] = [1, 2];
    pub(super) const SAMPLE_LOCATION_ID: u32 = 1;
    pub(super) const SAMPLE_VALUE: u32 = 2;
    pub(super) const LOCATION_ID: u32 = 1;
    pub(super) const LOCATION_LINE: u32 = 4;
    pub(super) const LINE_FUNCTION_ID: u32 = 1;
    pub(super) const LINE_LINE: u32 = 2;
    pub(super) const FUNCTION_ID: u32 = 1;
    pub(super) const FUNCTION_NAME: u32 = 2;
    pub(super) const FUNCTION_FILENAME: u32 = 4;
}

const VALUES: [(&str, &str); 4] =
    [("wall", "nanoseconds"), ("cpu", "nanoseconds"), ("wait", "nanoseconds"), ("waits", "count")];

/// A protobuf message as it is written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn packed(&mut self, field: u32, values: impl IntoIterator<Item = u64>) {
        let mut inner = Self::default();
        values.into_iter().for_each(|value| inner.varint(value));
        self.bytes(field, &inner.0);
    }
}

/// Strings by number; 0 is the empty one.
struct Strings {
    numbers: BTreeMap<String, u64>,
    list: Vec<String>,
}

impl Strings {
    fn number(&mut self, text: &str) -> u64 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = self.list.len() as u64;
        self.numbers.insert(text.to_owned(), number);
        self.list.push(text.to_owned());
        number
    }
}

/// The profile as a protobuf message.
pub(in crate::report) fn to_pprof(profile: &Profile) -> Vec<u8> {
    let mut strings = Strings { numbers: BTreeMap::from([(String::new(), 0)]), list: vec![String::new()] };
    let mut message = Message::default();
    for (name, unit) in VALUES {
        let mut value = Message::default();
        for (field, text) in field::VALUE_TYPE.into_iter().zip([name, unit]) {
            value.number(field, strings.number(text));
        }
        message.bytes(field::PROFILE_SAMPLE_TYPE, &value.0);
    }
    let rows = rows(profile);
    let mut locations: BTreeMap<&Level<'_>, u64> = BTreeMap::new();
    for row in &rows {
        let mut ids: Vec<u64> = row
            .levels
            .iter()
            .map(|level| {
                let next = locations.len() as u64 + 1;
                *locations.entry(level).or_insert(next)
            })
            .collect();
        // pprof wants the innermost first.
        ids.reverse();
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(i64::MAX as u64);
        let (cpu, wait) =
            if row.account == Account::Cpu { (nanos(row.time), 0) } else { (0, nanos(row.time)) };
        let mut sample = Message::default();
        sample.packed(field::SAMPLE_LOCATION_ID, ids);
        sample.packed(field::SAMPLE_VALUE, [nanos(row.wall), cpu, wait, row.episodes]);
        message.bytes(field::PROFILE_SAMPLE, &sample.0);
    }
    let mut functions: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut ordered: Vec<(&Level<'_>, u64)> = locations.into_iter().collect();
    ordered.sort_by_key(|(_, id)| *id);
    for (level, id) in ordered {
        let (name, file, at) = match level.frame {
            Some(frame) => {
                (frame.function.as_str(), frame.file.as_deref().unwrap_or_default(), frame.line.unwrap_or(0))
            }
            None => (level.name.as_str(), "", 0),
        };
        let key = (strings.number(name), strings.number(file));
        let next = functions.len() as u64 + 1;
        let function = *functions.entry(key).or_insert(next);
        let mut line = Message::default();
        line.number(field::LINE_FUNCTION_ID, function);
        line.number(field::LINE_LINE, u64::from(at));
        let mut location = Message::default();
        location.number(field::LOCATION_ID, id);
        location.bytes(field::LOCATION_LINE, &line.0);
        message.bytes(field::PROFILE_LOCATION, &location.0);
    }
    for ((name, file), id) in functions {
        let mut function = Message::default();
        function.number(field::FUNCTION_ID, id);
        function.number(field::FUNCTION_NAME, name);
        function.number(field::FUNCTION_FILENAME, file);
        message.bytes(field::PROFILE_FUNCTION, &function.0);
    }
    message.number(field::PROFILE_DURATION_NANOS, u64::try_from(profile.wall.as_nanos()).unwrap_or(0));
    message.number(field::PROFILE_DEFAULT_SAMPLE_TYPE, strings.number(VALUES[0].0));
    for text in &strings.list {
        message.bytes(field::PROFILE_STRING_TABLE, text.as_bytes());
    }
    message.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields of a message, as far as it is one: numbers and byte strings.
    fn fields(mut bytes: &[u8]) -> Vec<(u32, Result<u64, &[u8]>)> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
            let value = bytes[..=end].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
            *bytes = &bytes[end + 1..];
            value
        }
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = varint(&mut bytes);
            if key & 7 == 2 {
                let (inside, rest) = bytes.split_at(value as usize);
                found.push(((key >> 3) as u32, Err(inside)));
                bytes = rest;
            } else {
                found.push(((key >> 3) as u32, Ok(value)));
            }
        }
        found
    }

    #[test]
    fn a_reader_finds_every_sample_and_name() {
        let bytes = to_pprof(&super::super::tests::profile());
        let of = |field: u32| {
            fields(&bytes).into_iter().filter(move |(number, _)| *number == field).collect::<Vec<_>>()
        };
        assert_eq!(of(field::PROFILE_SAMPLE_TYPE).len(), 4);
        assert_eq!(of(field::PROFILE_SAMPLE).len(), 3);
        let strings: Vec<&[u8]> =
            of(field::PROFILE_STRING_TABLE).into_iter().map(|(_, text)| text.unwrap_err()).collect();
        assert!(
            strings[0].is_empty()
                && strings.contains(&&b"fetch"[..])
                && strings.contains(&&b"[network db:5432]"[..])
        );
        let sample = fields(of(field::PROFILE_SAMPLE)[0].1.unwrap_err());
        let packed = |bytes: &[u8]| {
            let mut values = vec![0u64];
            let mut shift = 0;
            for byte in bytes {
                *values.last_mut().unwrap() |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    values.push(0);
                    shift = 0;
                }
            }
            values.pop();
            values
        };
        assert_eq!(packed(sample[1].1.unwrap_err()), [900_000_000, 0, 1_800_000_000, 3]);
        assert_eq!(packed(sample[0].1.unwrap_err()).len(), 4);
    }
}
