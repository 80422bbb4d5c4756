//! The system calls that can block for long: what each is called, and which of its arguments decides what it waits for.

/// How the arguments of a system call lead to the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The first argument is a descriptor and decides.
    Descriptor,
    /// The descriptor decides, and a listening socket is expected.
    Accept,
    /// A futex: the address decides.
    Futex,
    /// A timer.
    Sleep,
    /// A child process.
    Child,
    /// `poll` and `ppoll`: array of descriptors.
    Poll,
    /// `select` and `pselect6`: bit sets of descriptors.
    Select,
    /// `epoll_wait` and kin: the registered descriptors.
    Epoll,
    /// A queue of asynchronous disk or network requests.
    Batch,
    /// A file lock: another process or thread releases it.
    FileLock,
    /// A signal.
    Signal,
    /// Metadata of a file system.
    FileSystem,
    /// Memory management.
    Memory,
}

/// A row: the number of a call, its plain name, what decides.
type Row = (i64, &'static str, Means);

macro_rules! calls {
    ($($(#[$condition:meta])* $call:ident $name:literal $means:ident,)*) => {
        /// The table: system call number, plain name, what decides. One row per call that can block for long.
        pub const CALLS: &[Row] = &[$($(#[$condition])* (libc::$call, $name, Means::$means),)*];
        /// What the kernel calls them.
        const NAMES: &[(&str, i64)] = &[$($(#[$condition])* (stringify!($call), libc::$call),)*];
    };
}

calls! {
    SYS_read "read" Descriptor,
    SYS_write "write" Descriptor,
    SYS_pread64 "read" Descriptor,
    SYS_pwrite64 "write" Descriptor,
    SYS_readv "read" Descriptor,
    SYS_writev "write" Descriptor,
    SYS_preadv "read" Descriptor,
    SYS_pwritev "write" Descriptor,
    SYS_preadv2 "read" Descriptor,
    SYS_pwritev2 "write" Descriptor,
    SYS_sendfile "write" Descriptor,
    SYS_splice "read" Descriptor,
    SYS_copy_file_range "read" Descriptor,
    SYS_fsync "fsync" Descriptor,
    SYS_fdatasync "fsync" Descriptor,
    SYS_sync_file_range "fsync" Descriptor,
    SYS_syncfs "fsync" Descriptor,
    SYS_fallocate "write" Descriptor,
    SYS_ftruncate "write" Descriptor,
    SYS_getdents64 "read" Descriptor,
    SYS_recvfrom "recv" Descriptor,
    SYS_recvmsg "recv" Descriptor,
    SYS_recvmmsg "recv" Descriptor,
    SYS_sendto "send" Descriptor,
    SYS_sendmsg "send" Descriptor,
    SYS_sendmmsg "send" Descriptor,
    SYS_connect "connect" Descriptor,
    SYS_accept "accept" Accept,
    SYS_accept4 "accept" Accept,
    SYS_close "close" Descriptor,
    SYS_ioctl "ioctl" Descriptor,
    SYS_futex "futex" Futex,
    SYS_futex_waitv "futex" Futex,
    SYS_nanosleep "sleep" Sleep,
    SYS_clock_nanosleep "sleep" Sleep,
    SYS_wait4 "wait" Child,
    SYS_waitid "wait" Child,
    SYS_clone "vfork" Child,
    SYS_clone3 "vfork" Child,
    #[cfg(target_arch = "x86_64")]
    SYS_vfork "vfork" Child,
    #[cfg(target_arch = "x86_64")]
    SYS_poll "poll" Poll,
    SYS_ppoll "poll" Poll,
    #[cfg(target_arch = "x86_64")]
    SYS_select "select" Select,
    SYS_pselect6 "select" Select,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait "epoll" Epoll,
    SYS_epoll_pwait "epoll" Epoll,
    SYS_epoll_pwait2 "epoll" Epoll,
    SYS_io_uring_enter "io_uring" Batch,
    SYS_io_getevents "io_getevents" Batch,
    SYS_flock "flock" FileLock,
    SYS_fcntl "flock" FileLock,
    SYS_semtimedop "semop" FileLock,
    SYS_rt_sigtimedwait "sigwait" Signal,
    SYS_rt_sigsuspend "sigwait" Signal,
    #[cfg(target_arch = "x86_64")]
    SYS_pause "pause" Signal,
    SYS_openat "open" FileSystem,
    #[cfg(target_arch = "x86_64")]
    SYS_open "open" FileSystem,
    SYS_newfstatat "stat" FileSystem,
    SYS_statx "stat" FileSystem,
    SYS_unlinkat "unlink" FileSystem,
    #[cfg(target_arch = "x86_64")]
    SYS_unlink "unlink" FileSystem,
    #[cfg(target_arch = "x86_64")]
    SYS_rename "rename" FileSystem,
    SYS_renameat2 "rename" FileSystem,
    SYS_mkdirat "mkdir" FileSystem,
    SYS_sync "fsync" FileSystem,
    SYS_execve "exec" FileSystem,
    SYS_msync "fsync" FileSystem,
    SYS_madvise "madvise" Memory,
    SYS_munmap "munmap" Memory,
    SYS_mmap "mmap" Memory,
    SYS_mprotect "mprotect" Memory,
    SYS_brk "brk" Memory,
}

/// The row of a system call.
#[must_use]
pub fn call(number: i64) -> Option<(&'static str, Means)> {
    CALLS.iter().find(|(row, _, _)| *row == number).map(|(_, name, means)| (*name, *means))
}

/// The number of the call with this name in the kernel: `pread64`.
#[must_use]
pub fn number(name: &str) -> Option<i64> {
    NAMES.iter().find(|(row, _)| row.strip_prefix("SYS_") == Some(name)).map(|(_, number)| *number)
}
