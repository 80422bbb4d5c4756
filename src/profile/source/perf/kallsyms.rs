//! The kernel's own functions by address, from `/proc/kallsyms`. Reading that takes some forty milliseconds, so it is done
//! once and beside the recording.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::thread::JoinHandle;

/// Where the kernel lists them.
const PLACE: &str = "/proc/kallsyms";
/// How much is read to tell whether addresses are shown: the first functions, behind variables of each CPU.
const BEGINNING: u64 = 512 * 1024;
/// Longest list that is read, bytes: ten times the largest seen.
const LONGEST: u64 = 128 << 20;

/// Names by address.
#[derive(Debug, Default)]
pub(crate) struct KernelSymbols {
    /// Where a function begins, and where its name does in `names`.
    functions: Vec<(u64, u32)>,
    names: String,
}

impl KernelSymbols {
    /// Reads a list as the kernel writes it: address, type, name, module.
    pub(crate) fn parse(list: impl BufRead) -> Self {
        let mut symbols = Self::default();
        for line in list.split(b'\n').map_while(Result::ok) {
            let Some((address, name)) = function(&line) else { continue };
            let Ok(place) = u32::try_from(symbols.names.len()) else { break };
            symbols.functions.push((address, place));
            symbols.names.push_str(name);
            symbols.names.push('\n');
        }
        symbols.functions.sort_unstable();
        symbols
    }

    /// The function that an address is in, or behind a call of which it is.
    pub(crate) fn name(&self, address: u64) -> Option<&str> {
        let behind = self.functions.partition_point(|(start, _)| *start < address);
        let (_, place) = *self.functions.get(behind.checked_sub(1)?)?;
        self.names.get(place as usize..)?.split('\n').next()
    }
}

/// A line about a function whose address is shown.
fn function(line: &[u8]) -> Option<(u64, &str)> {
    let mut words = line.split(|byte| *byte == b' ');
    let address = u64::from_str_radix(std::str::from_utf8(words.next()?).ok()?, 16).ok()?;
    let is_function = matches!(words.next()?, b"T" | b"t" | b"W" | b"w");
    let name = words.next()?.split(|byte| *byte == b'\t').next()?;
    (is_function && address != 0).then_some((address, std::str::from_utf8(name).ok()?))
}

/// Whether the kernel shows where its functions are; it hides that from those who may not know (`kernel.kptr_restrict`).
pub(crate) fn are_shown() -> bool {
    let Ok(file) = File::open(PLACE) else { return false };
    let list = BufReader::new(file.take(BEGINNING));
    list.split(b'\n').map_while(Result::ok).any(|line| function(&line).is_some())
}

/// The names, as soon as they are there.
#[derive(Debug, Default)]
pub(crate) enum Names {
    /// Nobody has asked.
    #[default]
    NotAsked,
    /// They are being read.
    Read(JoinHandle<KernelSymbols>),
    /// They are here.
    Here(KernelSymbols),
}

impl Names {
    /// Has them read, if they are not yet.
    pub(crate) fn ask(&mut self) {
        if matches!(self, Self::NotAsked) {
            let read = || {
                let list =
                    File::open(PLACE).map(|file| BufReader::with_capacity(1 << 16, file.take(LONGEST)));
                list.map(KernelSymbols::parse).unwrap_or_default()
            };
            let thread = std::thread::Builder::new().name("kernel-symbols".to_owned()).spawn(read);
            // Without a thread there are no names.
            *self = thread.map_or_else(|_| Self::Here(KernelSymbols::default()), Self::Read);
        }
    }

    /// The names; `None`: they are not there yet, or nobody has asked for them.
    pub(crate) fn get(&mut self) -> Option<&KernelSymbols> {
        if matches!(self, Self::Read(thread) if !thread.is_finished()) {
            return None;
        }
        self.wait()
    }

    /// The names, as soon as they are read; `None`: nobody has asked for them.
    pub(crate) fn wait(&mut self) -> Option<&KernelSymbols> {
        *self = match std::mem::take(self) {
            Self::Read(thread) => Self::Here(thread.join().unwrap_or_default()),
            other => other,
        };
        match self {
            Self::Here(symbols) => Some(symbols),
            Self::NotAsked | Self::Read(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIST: &[u8] = b"0000000000000000 A fixed_percpu_data
ffffffff81000c60 T asm_exc_page_fault
ffffffff8143f1f0 t futex_do_wait
ffffffff81f00000 D some_data
ffffffffc0000010 t ext4_sync_file\t[ext4]
ffffffff816b8fd0 T __x64_sys_read
";

    #[test]
    fn an_address_is_in_the_function_that_begins_before_it() {
        let symbols = KernelSymbols::parse(LIST);
        // What is on the stack is where a call returns to: the very beginning of a function is in the one before.
        for (address, name) in [
            (0xffff_ffff_8143_f1f1, Some("futex_do_wait")),
            (0xffff_ffff_8143_f290, Some("futex_do_wait")),
            (0xffff_ffff_c000_0100, Some("ext4_sync_file")),
            (0xffff_ffff_816b_8fd0, Some("futex_do_wait")),
            (0x1000, None),
        ] {
            assert_eq!(symbols.name(address), name, "{address:#x}");
        }
    }

    #[test]
    fn where_addresses_are_hidden_there_are_no_names() {
        let hidden = b"0000000000000000 T asm_exc_page_fault\n0000000000000000 t futex_do_wait\n";
        assert_eq!(KernelSymbols::parse(&hidden[..]).name(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn any_list_is_read(list: Vec<u8>, address: u64) {
            KernelSymbols::parse(&list[..]).name(address);
        }
    }
}
