//! Why threads leave their CPU: at every switch the kernel notes its own call chain and the registers with which the thread
//! had come to it. Allowed to those who may see the kernel. Knows the records of `perf_event_open(2)`; must not know what a
//! function of the kernel means.

use perf_event::Builder;
use perf_event::events::Software;
use rustc_hash::FxHashMap;

use super::super::memory::{half, word};
use crate::profile::switching::{Record, What, Why};

/// `PERF_RECORD_SAMPLE`.
pub(super) const SAMPLE: u32 = 9;
/// `PERF_SAMPLE_TID`, `_TIME`, `_CALLCHAIN`, `_REGS_USER`; a sample has them in this order.
const PARTS: u64 = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 12;
/// Functions of a chain: of fewer, some waits have no name; more are never needed.
const DEEPEST: u16 = 16;
/// `PERF_SAMPLE_REGS_ABI_64`.
const WORDS_OF_64: u64 = 2;
/// From here on, what stands in a chain is no address (`PERF_CONTEXT_MAX`).
const MARKS: u64 = u64::MAX - 4095 + 1;
/// Chains kept apart.
const CHAINS: usize = 16_384;

/// Registers as a sample has them, in order: their number in `perf_regs.h`, and what is in them at a system call.
#[cfg(target_arch = "x86_64")]
const REGISTERS: [(u8, Role); 8] = [
    (3, Role::Argument(2)),
    (4, Role::Argument(1)),
    (5, Role::Argument(0)),
    (7, Role::Stack),
    (8, Role::Program),
    (16, Role::Argument(4)),
    (17, Role::Argument(5)),
    (18, Role::Argument(3)),
];
/// As above, of 64-bit ARM.
#[cfg(not(target_arch = "x86_64"))]
const REGISTERS: [(u8, Role); 8] = [
    (0, Role::Argument(0)),
    (1, Role::Argument(1)),
    (2, Role::Argument(2)),
    (3, Role::Argument(3)),
    (4, Role::Argument(4)),
    (5, Role::Argument(5)),
    (31, Role::Stack),
    (32, Role::Program),
];

/// What a register holds when a thread is in a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Argument(usize),
    Stack,
    Program,
}

/// The kernel's call chains that were seen, by number.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    numbers: FxHashMap<Box<[u64]>, u32>,
    chains: Vec<Box<[u64]>>,
}

impl Chains {
    /// The addresses of a chain, the innermost first.
    pub(crate) fn get(&self, number: u32) -> &[u64] {
        self.chains.get(number as usize).map_or(&[], |chain| chain)
    }

    fn number(&mut self, chain: &[u64]) -> Option<u32> {
        if let Some(number) = self.numbers.get(chain) {
            return Some(*number);
        }
        let number = u32::try_from(self.chains.len()).ok().filter(|_| self.chains.len() < CHAINS)?;
        self.numbers.insert(chain.into(), number);
        self.chains.push(chain.into());
        Some(number)
    }
}

/// The event: one sample for every switch away from a thread.
pub(crate) fn description<'b>(tid: i32, cpu: usize) -> Builder<'b> {
    let mut builder = Builder::new().kind(Software::CONTEXT_SWITCHES).observe_pid(tid).one_cpu(cpu);
    let registers = REGISTERS.iter().fold(0, |mask, (number, _)| mask | 1 << number);
    builder.include_kernel().exclude_hv(true).inherit(true).enabled(true);
    builder.sample_period(1).sample_regs_user(registers);
    let attributes = builder.attrs_mut();
    attributes.sample_type = PARTS;
    attributes.read_format = 0;
    attributes.sample_max_stack = DEEPEST;
    attributes.set_exclude_callchain_user(1);
    attributes.set_sample_id_all(1);
    attributes.clockid = libc::CLOCK_MONOTONIC;
    attributes.set_use_clockid(1);
    builder
}

/// A sample; `None`: it is cut short, or there are too many chains.
pub(super) fn decode(cpu: usize, body: &[u8], began: u64, chains: &mut Chains) -> Option<Record> {
    let number = |at: usize| half(body, at).map(u32::cast_signed);
    let (pid, tid, time) = (number(0)?, number(4)?, word(body, 8)?.saturating_sub(began));
    let length = usize::try_from(word(body, 16)?).ok()?;
    let registers = length.checked_mul(8)?.checked_add(24)?;
    let addresses = body.get(24..registers)?.chunks_exact(8).filter_map(|bytes| word(bytes, 0));
    let chain: Vec<u64> = addresses.filter(|address| *address < MARKS).take(usize::from(DEEPEST)).collect();
    let mut why = Why { chain: chains.number(&chain)?, args: [0; 6], sp: 0, pc: 0 };
    // Of a 32-bit program the arguments lie elsewhere.
    if word(body, registers)? == WORDS_OF_64 {
        for (place, (_, role)) in REGISTERS.iter().enumerate() {
            let value = word(body, registers + 8 + 8 * place)?;
            match role {
                Role::Argument(number) => why.args[*number] = value,
                Role::Stack => why.sp = value,
                Role::Program => why.pc = value,
            }
        }
    }
    Some(Record { time, cpu, pid, tid, what: What::Off(why) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(chain: &[u64], abi: u64) -> Vec<u8> {
        let mut body = [7i32, 8].map(i32::to_ne_bytes).concat();
        let mut words = vec![150, chain.len() as u64];
        words.extend(chain);
        words.push(abi);
        words.extend(REGISTERS.iter().map(|(number, _)| u64::from(*number) + 100));
        body.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        body
    }

    #[test]
    fn a_sample_is_read_as_the_kernel_writes_it() {
        let mut chains = Chains::default();
        // A mark of whose addresses follow stands in front of them.
        let body = sample(&[u64::MAX - 127, 0xffff_ffff_8100_0001, 0xffff_ffff_8100_0002], WORDS_OF_64);
        let record = decode(3, &body, 100, &mut chains).unwrap();
        let What::Off(why) = record.what else { panic!("{record:?}") };
        assert_eq!((record.time, record.cpu, record.pid, record.tid), (50, 3, 7, 8));
        assert_eq!(chains.get(why.chain), [0xffff_ffff_8100_0001, 0xffff_ffff_8100_0002]);
        #[cfg(target_arch = "x86_64")]
        assert_eq!((why.args, why.sp, why.pc), ([105, 104, 103, 118, 116, 117], 107, 108));
        // The same way there is the same number; nothing is known of a program of 32 bits but the way.
        let again = decode(3, &sample(&[0xffff_ffff_8100_0001, 0xffff_ffff_8100_0002], 1), 100, &mut chains);
        let Some(What::Off(other)) = again.map(|record| record.what) else { panic!() };
        assert_eq!((other.chain, other.args, other.pc), (why.chain, [0; 6], 0));
    }

    proptest! {
        #[test]
        fn any_record_is_read(body: Vec<u8>, length: u64, began: u64) {
            let mut chains = Chains::default();
            decode(0, &body, began, &mut chains);
            let mut long: Vec<u8> = [0, 0, length].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect();
            long.extend(&body);
            decode(0, &long, began, &mut chains);
        }
    }
}
