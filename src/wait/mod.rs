//! What a thread can be doing with its time: the kinds of waiting, the accounts of a book, and the books.
//!
//! Knows the names and their order; [`classify`] is the one table from a kernel reading to a kind, with what is known of
//! system calls ([`calls`]) and of the kernel's functions ([`kernel`]). Pure. Must not know rules, strategies or output
//! formats.

pub mod calls;
pub mod classify;
mod evidence;
pub mod kernel;

use std::ops::{AddAssign, Index, IndexMut};
use std::time::Duration;

/// Why a thread is blocked. The order is the order of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WaitKind {
    /// Queued for the global interpreter lock of a runtime.
    Gil,
    /// A remote peer: TCP, UDP, name resolution.
    Network,
    /// A file on a block device: read, write or fsync.
    Disk,
    /// A pipe, FIFO or unix socket to another process.
    Pipe,
    /// A lock or condition inside the process (futex), or a file lock.
    Lock,
    /// A deliberate sleep or timer.
    Sleep,
    /// A child process whose own activity cannot be seen.
    Child,
    /// A page fault that had to read from a device or swap.
    Paging,
    /// A person or terminal.
    Tty,
    /// Nothing to do: `accept`, an event loop without outstanding work, a parked pool thread.
    Idle,
}

impl WaitKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Gil,
        Self::Network,
        Self::Disk,
        Self::Pipe,
        Self::Lock,
        Self::Sleep,
        Self::Child,
        Self::Paging,
        Self::Tty,
        Self::Idle,
    ];

    /// The name in JSON, rules and text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gil => "gil",
            Self::Network => "network",
            Self::Disk => "disk",
            Self::Pipe => "pipe",
            Self::Lock => "lock",
            Self::Sleep => "sleep",
            Self::Child => "child",
            Self::Paging => "paging",
            Self::Tty => "tty",
            Self::Idle => "idle",
        }
    }

    /// The kind with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One line of a book: every moment belongs to exactly one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// On a CPU.
    Cpu,
    /// Ready to run, but another program (or another thread of this one) holds the CPU.
    Runnable,
    /// Ready to run, but the CPU quota of a cgroup is used up.
    Throttled,
    /// Blocked.
    Wait(WaitKind),
    /// Blocked or gone, and no sample tells why.
    Unattributed,
}

impl Account {
    /// Number of accounts.
    pub const COUNT: usize = 4 + WaitKind::ALL.len();

    /// Every account, in the order of reports.
    pub const ALL: [Self; Self::COUNT] = {
        let mut all = [Self::Cpu; Self::COUNT];
        let mut i = 0;
        while i < WaitKind::ALL.len() {
            all[i + 1] = Self::Wait(WaitKind::ALL[i]);
            i += 1;
        }
        all[i + 1] = Self::Runnable;
        all[i + 2] = Self::Throttled;
        all[i + 3] = Self::Unattributed;
        all
    };

    /// The name in JSON, rules and text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Runnable => "runnable",
            Self::Throttled => "throttled",
            Self::Wait(kind) => kind.name(),
            Self::Unattributed => "unattributed",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Cpu => 0,
            Self::Wait(kind) => 1 + kind as usize,
            Self::Runnable => Self::COUNT - 3,
            Self::Throttled => Self::COUNT - 2,
            Self::Unattributed => Self::COUNT - 1,
        }
    }
}

/// Time distributed over the accounts, in nanoseconds. Conserved: what goes in equals the sum of the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Book {
    nanos: [u64; Account::COUNT],
}

impl Book {
    /// The sum of all accounts.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.nanos.iter().sum())
    }

    /// One account as a duration.
    #[must_use]
    pub fn get(&self, account: Account) -> Duration {
        Duration::from_nanos(self[account])
    }

    /// One account as a share of the whole, 0–1; `None` for an empty book.
    #[must_use]
    pub fn share(&self, account: Account) -> Option<f64> {
        let total = self.nanos.iter().sum::<u64>();
        (total > 0).then(|| self[account] as f64 / total as f64)
    }

    /// Accounts with their nanoseconds, in the order of reports.
    pub fn iter(&self) -> impl Iterator<Item = (Account, u64)> + '_ {
        Account::ALL.into_iter().map(|account| (account, self[account]))
    }

    /// Moves up to `nanos` from one account to another and returns what was moved.
    pub fn transfer(&mut self, from: Account, to: Account, nanos: u64) -> u64 {
        let moved = nanos.min(self[from]);
        self[from] -= moved;
        self[to] += moved;
        moved
    }
}

impl Index<Account> for Book {
    type Output = u64;

    fn index(&self, account: Account) -> &u64 {
        &self.nanos[account.index()]
    }
}

impl IndexMut<Account> for Book {
    fn index_mut(&mut self, account: Account) -> &mut u64 {
        &mut self.nanos[account.index()]
    }
}

impl AddAssign<&Self> for Book {
    fn add_assign(&mut self, other: &Self) {
        for (mine, theirs) in self.nanos.iter_mut().zip(other.nanos) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_has_its_own_line_and_name() {
        let mut book = Book::default();
        for (i, account) in Account::ALL.into_iter().enumerate() {
            book[account] += 1 << i;
        }
        for (i, account) in Account::ALL.into_iter().enumerate() {
            assert_eq!(book[account], 1 << i, "{}", account.name());
        }
        let names: std::collections::BTreeSet<_> = Account::ALL.into_iter().map(Account::name).collect();
        assert_eq!(names.len(), Account::COUNT);
        for kind in WaitKind::ALL {
            assert_eq!(WaitKind::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn a_transfer_conserves_the_total_and_never_overdraws() {
        let mut book = Book::default();
        book[Account::Cpu] = 10;
        assert_eq!(book.transfer(Account::Cpu, Account::Throttled, 25), 10);
        assert_eq!(book.total(), Duration::from_nanos(10));
        assert_eq!(book[Account::Throttled], 10);
    }
}
