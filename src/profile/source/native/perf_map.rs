//! What programs that make code at run time write down of it, where they do: `/tmp/perf-PID.map`, a line for each piece of
//! code with its address, its length and a name (`tools/perf/Documentation/jit-interface.txt` of Linux). The names
//! are V8's and the JVM's.
//!
//! Anybody may put a file into `/tmp`: only a regular one is read that belongs to who runs the program, is not older
//! than the program, and only so much of it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::time::{ClockId, clock_gettime};

use super::super::procfs::{parse_inner_id, read_small, read_stat};
use crate::profile::stack::Frame;

/// Bytes of a map that are read.
const MAP: u64 = 64 << 20;
/// How much older than its program a file may seem: clocks that tick differently.
const SLACK: Duration = Duration::from_secs(1);

/// What V8 writes before the name of a function of JavaScript, in versions old and new; behind it may stand how the
/// function was compiled.
const JAVASCRIPT: [&str; 6] = ["JS", "LazyCompile", "Function", "InterpretedFunction", "Script", "Eval"];
const COMPILED: [char; 5] = ['*', '~', '^', '+', '\''];
/// How a place begins behind the name of a function, which may have blanks itself.
const PLACES: [&str; 3] = [" file://", " /", " node:"];
/// Whose functions are not the program's own, by how their files begin or what is in their paths.
const FOREIGN_FILES: [&str; 2] = ["node:", "internal/"];
const PACKAGES: &str = "/node_modules/";
/// Packages that come with a JVM.
const FOREIGN_PACKAGES: [&str; 6] = ["java.", "javax.", "jdk.", "sun.", "com.sun.", "kotlin."];
/// What a file of JavaScript does itself; named as other languages name it.
const MODULE: &str = "<module>";
const ANONYMOUS: &str = "(anonymous)";

/// The map of a process, if it keeps one.
pub(super) fn open(pid: i32) -> Option<File> {
    let status = read_small(format!("/proc/{pid}/status").as_ref()).ok()?;
    let inner = parse_inner_id(&status).map_or(pid, |inner| inner.id);
    // As the program sees it: it may live in another root. Links would lead out of it.
    let directory = format!("/proc/{pid}/root/tmp");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, directory, flags, Mode::empty()).ok()?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(directory, format!("perf-{inner}.map"), flags, Mode::empty()).ok()?);
    let data = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let runs_it = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let age = SystemTime::now().duration_since(data.modified().ok()?).unwrap_or_default();
    let is_its_own = (data.uid() == runs_it || data.uid() == 0) && age <= alive_for(pid)? + SLACK;
    is_its_own.then_some(file)
}

/// How long a process has been there.
fn alive_for(pid: i32) -> Option<Duration> {
    let started = read_stat(Path::new(&format!("/proc/{pid}/stat")))?.started;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let now = clock_gettime(ClockId::Boottime);
    let now = Duration::new(u64::try_from(now.tv_sec).ok()?, u32::try_from(now.tv_nsec).ok()?);
    Some(now.saturating_sub(Duration::from_secs_f64(started as f64 / per_second as f64)))
}

/// The names of the code at these addresses, which are sorted. Where code was made in place of other code, the later
/// counts.
pub(super) fn names(mut file: &File, addresses: &[u64]) -> Vec<Option<Frame>> {
    let mut text = Vec::new();
    // What was read before it failed is as good as ever.
    let _ = std::io::Seek::rewind(&mut file).map(|()| file.take(MAP).read_to_end(&mut text));
    symbols(&text, addresses)
        .into_iter()
        .map(|symbol| symbol.map(|symbol| frame(&String::from_utf8_lossy(symbol))))
        .collect()
}

fn symbols<'t>(text: &'t [u8], addresses: &[u64]) -> Vec<Option<&'t [u8]>> {
    let mut found = vec![None; addresses.len()];
    // From an address to the first from there on that has no name yet: none is named twice, however much overlaps.
    let mut next: Vec<usize> = (0..=addresses.len()).collect();
    for line in text.rsplit(|byte| *byte == b'\n') {
        let Some((start, size, symbol)) = entry(line) else { continue };
        let end = start.saturating_add(size);
        let mut at = nameless(&mut next, addresses.partition_point(|address| *address < start));
        while addresses.get(at).is_some_and(|address| *address < end) {
            found[at] = Some(symbol);
            next[at] = at + 1;
            at = nameless(&mut next, at + 1);
        }
    }
    found
}

fn nameless(next: &mut [usize], mut at: usize) -> usize {
    while next[at] != at {
        next[at] = next[next[at]];
        at = next[at];
    }
    at
}

/// `3ef414c0 398 LazyCompile:~fetch /app/main.js:12:3`; the numbers are hexadecimal, some write `0x` before them.
fn entry(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let mut number = || {
        let digits = std::str::from_utf8(words.next()?).ok()?;
        u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    Some((start, size, words.next()?.trim_ascii()))
}

/// What a name stands for.
fn frame(symbol: &str) -> Frame {
    let tagged = symbol.split_once(':').filter(|(tag, _)| JAVASCRIPT.contains(tag));
    if let Some((_, rest)) = tagged {
        return javascript(rest.trim_start_matches(COMPILED));
    }
    java(symbol).unwrap_or_else(|| Frame { function: symbol.to_owned(), ..Frame::default() })
}

/// `fetch /app/main.js:12:3`, `get rows file:///app/main.mjs:7:9`, ` /app/main.js:1:1`: the function begins there.
fn javascript(text: &str) -> Frame {
    // The last part that could begin a place does: a name with such a part in it is rarer than a path with blanks, but
    // both are rare, and a place has a line.
    let at = PLACES.iter().filter_map(|begin| text.find(begin)).min().or_else(|| text.rfind(' '));
    let (name, place) = at.map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
    let numbered = place.rsplit_once(':').and_then(|(rest, column)| {
        let (file, line) = rest.rsplit_once(':')?;
        Some((file, line.parse::<u32>().ok()?, column.parse::<u32>().ok()?))
    });
    let Some((file, line, column)) = numbered.filter(|(file, ..)| !file.is_empty()) else {
        return Frame { function: text.trim().to_owned(), ..Frame::default() };
    };
    let file = file.strip_prefix("file://").map_or_else(|| file.to_owned(), unescaped);
    let function = match name {
        "" if (line, column) == (1, 1) => MODULE,
        "" => ANONYMOUS,
        name => name,
    };
    let foreign = FOREIGN_FILES.iter().any(|begin| file.starts_with(begin)) || file.contains(PACKAGES);
    Frame {
        function: function.to_owned(),
        own: !foreign,
        file: Some(file),
        line: Some(line).filter(|line| *line > 0),
    }
}

/// A path of a URL: `%20` is a blank.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = || u8::from_str_radix(std::str::from_utf8(behind.get(..2)?).ok()?, 16).ok();
        if let Some(byte) = hex().filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `Lcom/shop/Store;::put`, as agents write it; `void com.shop.Store.put(int)`, as the JVM itself does.
fn java(symbol: &str) -> Option<Frame> {
    let agent = symbol.strip_prefix('L').and_then(|rest| rest.split_once(";::"));
    let function = if let Some((class, method)) = agent {
        format!("{}.{}", class.replace('/', "."), method.split('(').next()?)
    } else {
        let (before, _) = symbol.strip_suffix(')')?.split_once('(')?;
        let (returns, name) = before.rsplit_once(' ')?;
        (!returns.is_empty() && name.contains('.')).then(|| name.to_owned())?
    };
    let own = !FOREIGN_PACKAGES.iter().any(|package| function.starts_with(package));
    Some(Frame { function, own, ..Frame::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(symbol: &str) -> (String, Option<String>, Option<u32>, bool) {
        let Frame { function, file, line, own } = frame(symbol);
        (function, file, line, own)
    }

    #[test]
    fn functions_of_javascript_have_their_file_and_line() {
        for (symbol, function, file, line, own) in [
            ("LazyCompile:*fetch /app/main.js:12:3", "fetch", "/app/main.js", 12, true),
            ("JS:~load file:///app/my%20jobs/load.mjs:7:22", "load", "/app/my jobs/load.mjs", 7, true),
            ("JS:^get rows /app/my jobs/main.js:3:18", "get rows", "/app/my jobs/main.js", 3, true),
            ("JS:~ /app/main.js:1:1", "<module>", "/app/main.js", 1, true),
            ("JS:+ /app/main.js:40:9", "(anonymous)", "/app/main.js", 40, true),
            ("Function:~wait evalmachine.<anonymous>:3:9", "wait", "evalmachine.<anonymous>", 3, true),
            ("JS:*readFileSync node:fs:432:22", "readFileSync", "node:fs", 432, false),
            (
                "JS:~handle /app/node_modules/express/lib/router.js:9:1",
                "handle",
                "/app/node_modules/express/lib/router.js",
                9,
                false,
            ),
        ] {
            assert_eq!(
                shown(symbol),
                (function.to_owned(), Some(file.to_owned()), Some(line), own),
                "{symbol}"
            );
        }
        for symbol in
            ["Builtin:ArrayMap", "BytecodeHandler:LdaZero", "RegExp:a+ /x/y:1:1", "JS:~", "JS:~odd:", ""]
        {
            assert!(!shown(symbol).3, "{symbol}");
        }
    }

    #[test]
    fn methods_of_a_jvm_have_their_class() {
        for (symbol, function, own) in [
            ("Lcom/shop/Store;::put", "com.shop.Store.put", true),
            ("Ljava/util/HashMap;::get", "java.util.HashMap.get", false),
            ("void com.shop.Store.put(int, long)", "com.shop.Store.put", true),
            ("java.lang.Object java.util.ArrayList.get(int)", "java.util.ArrayList.get", false),
        ] {
            assert_eq!(shown(symbol), (function.to_owned(), None, None, own), "{symbol}");
        }
        for symbol in ["Interpreter", "StubRoutines (1)", "~BufferBlob::I2C/C2I adapters(0x41)", "L;::"] {
            assert!(!shown(symbol).3 || symbol == "L;::", "{symbol}");
        }
    }

    #[test]
    fn an_address_has_the_name_that_was_given_to_it_last() {
        let map = b"1000 100 JS:~first /a.js:1:2\n0x1080 0x10 JS:*second /a.js:2:2\nbroken\n\n1000 20 JS:^third /a.js:3:2\n";
        let found = symbols(map, &[0xfff, 0x1000, 0x101f, 0x1020, 0x1080, 0x108f, 0x1090, 0x1100]);
        let names = found.iter().map(|name| name.map(|name| String::from_utf8_lossy(name).into_owned()));
        let functions: Vec<_> = names.map(|name| name.map(|name| frame(&name).function)).collect();
        let expected = [
            None,
            Some("third"),
            Some("third"),
            Some("first"),
            Some("second"),
            Some("second"),
            Some("first"),
            None,
        ];
        assert_eq!(functions, expected.map(|name| name.map(str::to_owned)));
    }

    #[test]
    fn a_map_is_believed_only_if_it_can_be_the_programs_own() {
        // A program that lives, and what others may have left for it.
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let path = format!("/tmp/perf-{pid}.map");
        assert!(open(pid).is_none());
        std::fs::write(&path, "1000 100 main\n").unwrap();
        let file = open(pid);
        let old = SystemTime::now() - Duration::from_hours(1);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let stale = open(pid).is_some();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/proc/self/maps", &path).unwrap();
        let linked = open(pid).is_some();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let directory = open(pid).is_some();
        std::fs::remove_dir(&path).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((stale, linked, directory), (false, false, false));
        let found = names(&file.expect("its own is"), &[0x1010]);
        assert_eq!(found[0].as_ref().map(|frame| frame.function.as_str()), Some("main"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_map(text: Vec<u8>, mut addresses: Vec<u64>, symbol: String) {
            addresses.sort_unstable();
            prop_assert_eq!(symbols(&text, &addresses).len(), addresses.len());
            frame(&symbol);
            frame(&format!("JS:~{symbol}"));
            frame(&format!("L{symbol};::{symbol}"));
        }

        #[test]
        fn entries_that_overlap_give_the_last_name(
            pieces in proptest::collection::vec((0u64..60, 0u64..30), 0..20),
        ) {
            let lines = pieces.iter().enumerate().map(|(i, (start, size))| format!("{start:x} {size:x} f{i}\n"));
            let text = lines.collect::<String>();
            let addresses: Vec<u64> = (0..100).collect();
            for (address, found) in addresses.iter().zip(symbols(text.as_bytes(), &addresses)) {
                let last = pieces.iter().rposition(|(start, size)| (*start..start + size).contains(address));
                let expected = last.map(|last| format!("f{last}"));
                prop_assert_eq!(found.map(|name| String::from_utf8_lossy(name).into_owned()), expected);
            }
        }
    }
}
