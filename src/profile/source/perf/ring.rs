//! Records the kernel writes about a program while it runs, read from memory shared with the kernel. Knows
//! `perf_event_open(2)`; must not know what is in a record.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use perf_event::Builder;

/// `PERF_EVENT_IOC_SET_OUTPUT`, the same on all architectures Rust knows: no argument, type `$`, number 5.
const SET_OUTPUT: u64 = 0x2405;
/// `PERF_EVENT_IOC_ENABLE` and `PERF_EVENT_IOC_DISABLE`: no argument that matters, numbers 0 and 1.
const ENABLE: u64 = 0x2400;
const DISABLE: u64 = 0x2401;
/// Where in the first page the kernel says up to where it wrote, and reads up to where was read (`data_head`,
/// `data_tail` of `struct perf_event_mmap_page`).
const HEAD: usize = 1024;
const TAIL: usize = 1032;
/// Type, flags and length of a record.
const HEADER: usize = 8;

/// An event that was opened; it counts until it is dropped.
#[derive(Debug)]
pub(in crate::profile::source) struct Event(OwnedFd);

impl Event {
    /// Opens what was described.
    ///
    /// # Errors
    /// What the kernel says.
    pub(in crate::profile::source) fn open(builder: Builder<'_>) -> io::Result<Self> {
        let raw = builder.build()?.into_raw_fd();
        // SAFETY: the descriptor was just handed over, and nobody else has it.
        let event = Self(unsafe { OwnedFd::from_raw_fd(raw) });
        // Commands that are started later must not have it.
        rustix::io::fcntl_setfd(&event.0, rustix::io::FdFlags::CLOEXEC)?;
        Ok(event)
    }

    /// Lets the kernel write this event's records where it writes those of another one, on the same CPU.
    ///
    /// # Errors
    /// What the kernel says.
    pub(in crate::profile::source) fn write_to(&self, other: &Self) -> io::Result<()> {
        // SAFETY: takes two descriptors that are open and changes no memory of ours.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), SET_OUTPUT as _, other.0.as_raw_fd()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Stops counting, or goes on; whatever inherited it does, too.
    pub(in crate::profile::source) fn pause(&self, paused: bool) {
        let request = if paused { DISABLE } else { ENABLE };
        // SAFETY: takes a descriptor that is open and a number; changes no memory of ours. It cannot fail for an event.
        unsafe {
            libc::ioctl(self.0.as_raw_fd(), request as _, 0);
        }
    }
}

/// Memory the kernel writes an event's records into.
#[derive(Debug)]
pub(in crate::profile::source) struct Ring {
    pages: NonNull<u8>,
    page: usize,
    /// Bytes of records there is room for, a power of two.
    size: usize,
    record: Vec<u8>,
}

impl Ring {
    /// Room for a power of two of pages.
    ///
    /// # Errors
    /// What the kernel says: most often that it would lock more memory than is allowed.
    pub(in crate::profile::source) fn map(event: &Event, pages: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let size = page * pages.next_power_of_two();
        // SAFETY: a new mapping where the kernel likes; it lives until `drop`, and its length is that of the request.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                page + size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.0.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let pages = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { pages, page, size, record: Vec::new() })
    }

    /// Pages it has room for.
    pub(in crate::profile::source) fn pages(&self) -> usize {
        self.size / self.page
    }

    /// Hands over what was written since the last time, record by record: type, flags, and what follows.
    pub(in crate::profile::source) fn drain(&mut self, mut take: impl FnMut(u32, u16, &[u8])) {
        let head = self.mark(HEAD).load(Ordering::Acquire);
        let mut tail = self.mark(TAIL).load(Ordering::Relaxed);
        let mut record = std::mem::take(&mut self.record);
        while head.wrapping_sub(tail) >= HEADER as u64 {
            self.copy(tail, HEADER, &mut record);
            let kind = u32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
            let flags = u16::from_ne_bytes([record[4], record[5]]);
            let length = usize::from(u16::from_ne_bytes([record[6], record[7]]));
            if length < HEADER || length as u64 > head.wrapping_sub(tail) {
                // Cannot be; what is left is given up.
                tail = head;
                break;
            }
            self.copy(tail.wrapping_add(HEADER as u64), length - HEADER, &mut record);
            tail = tail.wrapping_add(length as u64);
            // The record was copied: the kernel may use its place again.
            self.mark(TAIL).store(tail, Ordering::Release);
            take(kind, flags, &record);
        }
        self.mark(TAIL).store(tail, Ordering::Release);
        self.record = record;
    }

    fn mark(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: the first page has this aligned word, which lives as long as `self`; the kernel, too, uses it only
        // as a whole.
        unsafe { AtomicU64::from_ptr(self.pages.as_ptr().add(offset).cast()) }
    }

    /// Bytes the kernel has finished writing, from a position on; what stands at the end goes on at the beginning.
    fn copy(&self, position: u64, length: usize, into: &mut Vec<u8>) {
        let start = (position % self.size as u64) as usize;
        let first = length.min(self.size - start);
        into.clear();
        into.resize(length, 0);
        // SAFETY: both pieces lie inside the pages behind the first one (`start + first <= size`, `length - first <=
        // start <= size` because no record is longer than the ring), and inside `into`; the kernel does not write
        // there until the tail has passed.
        unsafe {
            let data = self.pages.as_ptr().add(self.page);
            ptr::copy_nonoverlapping(data.add(start), into.as_mut_ptr(), first);
            ptr::copy_nonoverlapping(data, into.as_mut_ptr().add(first), (length - first).min(self.size));
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: this very mapping, of which no reference is left.
        unsafe {
            libc::munmap(self.pages.as_ptr().cast(), self.page + self.size);
        }
    }
}
