//! Where threads are while they run: some 97 times in each second that a thread spends on a CPU, the kernel copies its
//! registers and the inner end of its stack. Nothing is stopped; the program does not notice.
//!
//! Knows the records of `perf_event_open(2)`. Must not know what code is there, nor how time is accounted.

use perf_event::Builder;
use perf_event::events::Software;

use super::super::memory::{half, word};
use super::super::perf::{LOST, Refused, Watch};
use super::registers::Registers;

/// Time on a CPU between two samples of a thread; odd, so as not to keep step with what a program does in rounds.
pub const PERIOD_NS: u64 = 1_000_000_000 / 97;
/// Bytes copied of a stack.
const STACK: u32 = 16 * 1024;
/// Pages for the records of one CPU: with the first one as much as any user may lock by default.
const PAGES: usize = 128;
/// Most events opened at once: as many descriptors.
const EVENTS: usize = 512;

/// `PERF_SAMPLE_TID`, `_TIME`, `_REGS_USER`, `_STACK_USER`; a sample has them in this order.
const PARTS: u64 = 1 << 1 | 1 << 2 | 1 << 12 | 1 << 13;
/// `PERF_RECORD_SAMPLE`.
const SAMPLE: u32 = 9;
/// The part of a record's flags that says where the program was, and its value for the kernel.
const MODE: u16 = 7;
const MODE_KERNEL: u16 = 1;
/// `PERF_SAMPLE_REGS_ABI_64`.
const WORDS_OF_64: u64 = 2;

/// The kernel's number of a register, and that of DWARF (see [`Registers`]); in order, as a sample has them. Source:
/// `arch/x86/include/uapi/asm/perf_regs.h`.
#[cfg(target_arch = "x86_64")]
const REGISTERS: [(u8, u8); 17] = [
    (0, 0),
    (1, 3),
    (2, 2),
    (3, 1),
    (4, 4),
    (5, 5),
    (6, 6),
    (7, 7),
    (8, PC),
    (16, 8),
    (17, 9),
    (18, 10),
    (19, 11),
    (20, 12),
    (21, 13),
    (22, 14),
    (23, 15),
];
/// As above. Source: `arch/arm64/include/uapi/asm/perf_regs.h`.
#[cfg(not(target_arch = "x86_64"))]
const REGISTERS: [(u8, u8); 33] = {
    let mut table = [(0, 0); 33];
    let mut number = 0;
    while number < 32 {
        table[number as usize] = (number, number);
        number += 1;
    }
    table[32] = (32, PC);
    table
};
/// The address of the next instruction.
const PC: u8 = u8::MAX;

/// What was seen of a thread that ran.
#[derive(Debug, Clone, Copy)]
pub struct CpuSample<'s> {
    /// `CLOCK_MONOTONIC`, ns.
    pub time: u64,
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// Whether it was in the kernel; the registers are those with which it went there, as far as the kernel tells.
    pub in_kernel: bool,
    /// Of the program.
    pub registers: Registers,
    /// The stack from the stack pointer on.
    pub stack: &'s [u8],
}

/// Looks at threads that run, and at all threads and processes they start.
#[derive(Debug)]
pub struct CpuSampler {
    watch: Watch,
    with_kernel: bool,
    lost: u64,
    unread: u64,
}

impl CpuSampler {
    /// Looks at these threads from now on, and at whatever they start. Best opened on a command's only thread before
    /// it executes anything; of a process that runs already, on each of its threads.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn open(tids: &[i32]) -> Result<Self, Refused> {
        // Whoever may see the kernel learns whose code its work was done for.
        Self::open_with(tids, true).or_else(|why| match why {
            Refused::NotAllowed => Self::open_with(tids, false),
            other => Err(other),
        })
    }

    fn open_with(tids: &[i32], with_kernel: bool) -> Result<Self, Refused> {
        let watch = Watch::open(tids, PAGES, EVENTS, |tid, cpu| description(tid, cpu, with_kernel))?;
        Ok(Self { watch, with_kernel, lost: 0, unread: 0 })
    }

    /// Hands over what was seen since the last time. To be called a few times a second at least: what there is no room
    /// for is lost, and counted.
    pub fn drain(&mut self, mut take: impl FnMut(&CpuSample<'_>)) {
        let (mut lost, mut unread) = (0, 0);
        self.watch.drain(|_, kind, flags, record| match kind {
            SAMPLE => match sample(flags, record) {
                Some(sample) => take(&sample),
                None => unread += 1,
            },
            LOST => lost += word(record, 8).unwrap_or(0),
            _ => {}
        });
        self.lost = self.lost.saturating_add(lost);
        self.unread += unread;
    }

    /// Whether time the kernel works for a thread is seen, too.
    #[must_use]
    pub fn sees_kernel(&self) -> bool {
        self.with_kernel
    }

    /// Samples there was no room for, and samples that were not understood: those of 32-bit programs.
    #[must_use]
    pub fn missing(&self) -> (u64, u64) {
        (self.lost, self.unread)
    }
}

fn description<'b>(tid: i32, cpu: usize, with_kernel: bool) -> Builder<'b> {
    let mut builder = Builder::new().kind(Software::CPU_CLOCK).observe_pid(tid).one_cpu(cpu);
    let registers = REGISTERS.iter().fold(0, |mask, (number, _)| mask | 1 << number);
    builder
        .sample_period(PERIOD_NS)
        .sample_regs_user(registers)
        .sample_stack_user(STACK)
        .exclude_kernel(!with_kernel)
        .inherit(true)
        .enabled(true);
    let attributes = builder.attrs_mut();
    attributes.sample_type = PARTS;
    attributes.read_format = 0;
    attributes.clockid = libc::CLOCK_MONOTONIC;
    attributes.set_use_clockid(1);
    builder
}

/// A sample; `None`: it is not of a 64-bit program that was seen.
fn sample(flags: u16, record: &[u8]) -> Option<CpuSample<'_>> {
    let (pid, tid, time) = (half(record, 0)? as i32, half(record, 4)? as i32, word(record, 8)?);
    if word(record, 16)? != WORDS_OF_64 {
        return None;
    }
    let mut registers = Registers::unknown(0);
    for (place, (_, number)) in REGISTERS.iter().enumerate() {
        let value = word(record, 24 + 8 * place)?;
        match *number {
            PC => registers.pc = value,
            // What a system call has not saved is said to be this.
            number => registers.set(number, Some(value).filter(|value| *value != u64::MAX)),
        }
    }
    let stack = 24 + 8 * REGISTERS.len();
    let size = usize::try_from(word(record, stack)?).ok()?;
    let copy = record.get(stack + 8..)?;
    // Behind the room for it stands how much of it was used.
    let stack = match word(copy, size) {
        Some(used) => &copy[..size.min(usize::try_from(used).ok()?)],
        None => &[],
    };
    Some(CpuSample { time, pid, tid, in_kernel: flags & MODE == MODE_KERNEL, registers, stack })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sample_is_read_as_the_kernel_writes_it() {
        let mut record = [7i32, 8].map(i32::to_ne_bytes).concat();
        let mut words = vec![1_000, WORDS_OF_64];
        words.extend(REGISTERS.iter().map(|(kernels, _)| u64::from(*kernels) + 100));
        words.extend([16, 1, 2, 8]);
        record.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        let sample = sample(MODE_KERNEL, &record).unwrap();
        assert_eq!((sample.pid, sample.tid, sample.time, sample.in_kernel), (7, 8, 1_000, true));
        assert_eq!(sample.stack, 1u64.to_ne_bytes());
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            (sample.registers.pc, sample.registers.get(7), sample.registers.get(3), sample.registers.get(15)),
            (108, Some(107), Some(101), Some(123))
        );
    }

    proptest! {
        #[test]
        fn any_record_is_read(flags: u16, record: Vec<u8>, stack: u64) {
            sample(flags, &record);
            let mut words = [0, 0, WORDS_OF_64].to_vec();
            words.extend([9; REGISTERS.len()]);
            words.push(stack);
            let mut long: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            long.extend(&record);
            sample(flags, &long);
        }
    }
}
