//! What functions of the kernel say of a wait. The knowledge is in `rules/kernel.yaml`; this reads and checks it, and finds
//! the family of a call chain. Pure. Must not know how a chain is read.

use std::sync::LazyLock;

use serde::Deserialize;

use super::WaitKind;
use super::calls;
use crate::yaml::{RuleError, Spanned, load};

/// Where it stands.
const FILE: &str = "kernel.yaml";
/// The version of the format.
const SCHEMA: &str = "boundby/kernel/1";

/// Functions of the kernel, by what a thread in them waits for.
#[derive(Debug, Default)]
pub struct KernelFunctions {
    shared: Vec<String>,
    calls: Vec<String>,
    families: Vec<Family>,
}

/// Functions that tell the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// What is waited for.
    pub kind: WaitKind,
    /// See [`Reason::external`](super::classify::Reason::external).
    pub external: bool,
    functions: Vec<String>,
    within: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KernelFile {
    schema: Spanned<String>,
    shared: Vec<Spanned<String>>,
    calls: Vec<Spanned<String>>,
    families: Vec<FamilyFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyFile {
    kind: Spanned<String>,
    external: bool,
    #[serde(default)]
    within: Vec<Spanned<String>>,
    functions: Vec<Spanned<String>>,
}

/// What a call chain of the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told<'c> {
    /// The system call the thread is in; `None`: in none, or in one that never waits for long.
    pub call: Option<i64>,
    /// The function that decides what it waits for; `None`: no family has one.
    pub function: Option<&'c str>,
    /// It is in no system call's own work: it touched memory that was not there.
    pub faults: bool,
}

impl KernelFunctions {
    /// What boundby knows.
    ///
    /// # Panics
    /// Where the file that is built in has an error, which the tests of boundby rule out.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<KernelFunctions> = LazyLock::new(|| {
            let sources = load::builtin();
            let source = sources.iter().find(|source| source.relative == FILE);
            source.map(|source| parse(source).expect("the tests load what is built in")).unwrap_or_default()
        });
        &BUILTIN
    }

    /// The family of a single function.
    #[must_use]
    pub fn family(&self, function: &str) -> Option<&Family> {
        self.of_chain(&[function]).map(|(family, _)| family)
    }

    /// The first family that holds a function of this chain, and which function it is. The innermost function comes first.
    #[must_use]
    pub fn of_chain<'c>(&self, chain: &[&'c str]) -> Option<(&Family, &'c str)> {
        let has = |names: &[String]| {
            chain
                .iter()
                .copied()
                .find(|function| names.iter().any(|name| function.starts_with(name.as_str())))
        };
        self.families.iter().find_map(|family| {
            if !family.within.is_empty() && has(&family.within).is_none() {
                return None;
            }
            has(&family.functions).map(|function| (family, function))
        })
    }

    /// The innermost function of a chain that not all waits have; the innermost function comes first.
    #[must_use]
    pub fn inner<'c>(&self, chain: &[&'c str]) -> Option<&'c str> {
        let is_shared = |function: &str| self.shared.iter().any(|name| function.starts_with(name.as_str()));
        chain.iter().copied().find(|function| !is_shared(function))
    }

    /// What a chain says; the innermost function comes first.
    #[must_use]
    pub fn read<'c>(&self, chain: &[&'c str]) -> Told<'c> {
        let family = self.of_chain(chain);
        let named = |function: &&str| {
            self.calls.iter().find_map(|entry| calls::number(function.strip_prefix(entry.as_str())?))
        };
        Told {
            call: chain.iter().find_map(named),
            function: family.map(|(_, function)| function),
            faults: family.is_some_and(|(family, _)| !family.within.is_empty()),
        }
    }
}

fn parse(source: &load::Source) -> Result<KernelFunctions, Vec<RuleError>> {
    let file: KernelFile = source.parse().map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    if file.schema.value != SCHEMA {
        errors
            .push(source.at(&file.schema, "another version of this format").help(format!("write {SCHEMA}")));
    }
    let is_name =
        |name: &str| name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let names = |of: &[Spanned<String>], errors: &mut Vec<RuleError>| -> Vec<String> {
        for name in of.iter().filter(|name| !is_name(&name.value)) {
            errors.push(
                source
                    .at(name, "no function of the kernel begins so")
                    .help("three letters, digits or `_` at least"),
            );
        }
        of.iter().map(|name| name.value.clone()).collect()
    };
    let shared = names(&file.shared, &mut errors);
    let calls = names(&file.calls, &mut errors);
    let mut families: Vec<Family> = Vec::new();
    for family in &file.families {
        let Some(kind) = WaitKind::from_name(&family.kind.value) else {
            let kinds: Vec<&str> = WaitKind::ALL.into_iter().map(WaitKind::name).collect();
            errors.push(source.at(&family.kind, "no wait is called so").help(kinds.join(", ")));
            continue;
        };
        for function in family.functions.iter().chain(&family.within) {
            if let Some(before) =
                decided_before(&families, &function.value).filter(|_| family.within.is_empty())
            {
                errors.push(source.at(function, format!("an earlier family decides it by `{before}`")));
            }
        }
        families.push(Family {
            kind,
            external: family.external,
            functions: names(&family.functions, &mut errors),
            within: names(&family.within, &mut errors),
        });
    }
    if errors.is_empty() { Ok(KernelFunctions { shared, calls, families }) } else { Err(errors) }
}

/// The name by which a family without conditions takes this function before others can.
fn decided_before<'f>(families: &'f [Family], function: &str) -> Option<&'f str> {
    let unconditional = families.iter().filter(|family| family.within.is_empty());
    let names = unconditional.flat_map(|family| &family.functions);
    names.map(String::as_str).find(|name| function.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<KernelFunctions, Vec<String>> {
        let source = load::Source {
            file: "kernel.yaml".to_owned(),
            relative: FILE.to_owned(),
            text: format!("schema: {SCHEMA}\nshared: [schedule]\ncalls: [__x64_sys_]\nfamilies:\n{text}"),
            builtin: true,
        };
        parse(&source).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_built_in_is_right() {
        let source = load::builtin().into_iter().find(|source| source.relative == FILE).unwrap();
        let known = parse(&source).unwrap_or_else(|errors| panic!("{}", errors[0]));
        assert!(known.families.len() > 10);
    }

    #[test]
    fn chains_of_several_kernels_say_what_is_waited_for() {
        // As kernels 4.19 to 6.18 write them, the innermost function first.
        for (chain, kind) in [
            (
                "schedule futex_do_wait __futex_wait futex_wait do_futex __x64_sys_futex do_syscall_64",
                WaitKind::Lock,
            ),
            ("schedule futex_wait_queue_me futex_wait do_futex __x64_sys_futex", WaitKind::Lock),
            (
                "schedule schedule_timeout wait_woken sk_wait_data tcp_recvmsg_locked tcp_recvmsg inet_recvmsg",
                WaitKind::Network,
            ),
            ("schedule schedule_timeout inet_csk_accept inet_accept do_accept", WaitKind::Network),
            (
                "schedule schedule_timeout unix_stream_read_generic unix_stream_recvmsg sock_recvmsg",
                WaitKind::Pipe,
            ),
            ("schedule schedule_timeout __skb_wait_for_more_packets __unix_dgram_recvmsg", WaitKind::Pipe),
            (
                "schedule schedule_timeout __skb_wait_for_more_packets __skb_recv_udp udp_recvmsg",
                WaitKind::Network,
            ),
            ("schedule anon_pipe_read vfs_read ksys_read do_syscall_64", WaitKind::Pipe),
            ("schedule pipe_wait pipe_read __vfs_read", WaitKind::Pipe),
            (
                "schedule io_schedule folio_wait_bit_common filemap_read ext4_file_read_iter vfs_read",
                WaitKind::Disk,
            ),
            (
                "schedule io_schedule folio_wait_bit_common filemap_fault __do_fault handle_mm_fault exc_page_fault asm_exc_page_fault",
                WaitKind::Paging,
            ),
            ("schedule jbd2_log_wait_commit ext4_sync_file __x64_sys_fsync", WaitKind::Disk),
            (
                "schedule do_nanosleep hrtimer_nanosleep common_nsleep __x64_sys_clock_nanosleep",
                WaitKind::Sleep,
            ),
            ("schedule do_wait kernel_wait4 __x64_sys_wait4", WaitKind::Child),
            ("schedule schedule_hrtimeout_range ep_poll do_epoll_wait __x64_sys_epoll_wait", WaitKind::Idle),
            ("schedule locks_lock_inode_wait __x64_sys_flock", WaitKind::Lock),
            ("schedule rpc_wait_bit_killable __wait_on_bit nfs4_proc_getattr", WaitKind::Network),
        ] {
            let functions: Vec<&str> = chain.split(' ').collect();
            let family = KernelFunctions::builtin().of_chain(&functions);
            assert_eq!(family.map(|(family, _)| family.kind), Some(kind), "{chain}");
        }
        let strange = ["__schedule", "schedule", "schedule_timeout", "some_new_thing", "do_syscall_64"];
        assert_eq!(KernelFunctions::builtin().of_chain(&strange), None);
        assert_eq!(KernelFunctions::builtin().inner(&strange), Some("some_new_thing"));
    }

    #[test]
    fn the_system_call_is_in_the_chain() {
        let told = |chain: &str| {
            let functions: Vec<&str> = chain.split(' ').collect();
            let told = KernelFunctions::builtin().read(&functions);
            (told.call, told.function.map(str::to_owned), told.faults)
        };
        let recv = told("schedule sk_wait_data tcp_recvmsg __sys_recvfrom __x64_sys_recvfrom do_syscall_64");
        assert_eq!(recv, (Some(libc::SYS_recvfrom), Some("sk_wait_data".to_owned()), false));
        assert_eq!(told("schedule ksys_pread64 do_syscall_64"), (Some(libc::SYS_pread64), None, false));
        let fault = told("schedule io_schedule folio_wait_bit_common filemap_fault asm_exc_page_fault");
        assert_eq!(fault, (None, Some("io_schedule".to_owned()), true));
    }

    #[test]
    fn what_is_wrong_in_the_file_is_said_with_its_place() {
        for (text, what) in [
            ("  - {kind: lunch, external: true, functions: [abc_]}\n", "no wait is called so"),
            ("  - {kind: disk, external: true, functions: [x]}\n", "no function of the kernel begins so"),
            (
                "  - {kind: disk, external: true, functions: [abc_]}\n  - {kind: lock, external: true, functions: [abc_d]}\n",
                "an earlier family decides it by `abc_`",
            ),
            ("  - {kind: disk, functions: [abc_]}\n", "missing field"),
        ] {
            let errors = read(text).unwrap_err();
            assert!(errors[0].contains(what), "{text}: {errors:?}");
        }
        let guarded = "  - {kind: paging, external: true, within: [fault_], functions: [io_]}\n  - {kind: disk, external: true, functions: [io_]}\n";
        let known = read(guarded).unwrap();
        assert_eq!(known.family("io_schedule").map(|family| family.kind), Some(WaitKind::Disk));
    }
}
