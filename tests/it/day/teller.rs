//! Tells books what is seen, and writes down the same as a recording, so that it can be played as well.

use std::io::Write as _;

use boundby::profile::ledger::{Ledger, Reading};
use boundby::profile::observation::{Birth, Life, Observation};
use boundby::profile::stack::{Frame, FrameId, StackId};
use boundby::profile::switching::Overlap;
use boundby::profile::thread_clock::{Counters, Seen, SiteId, Told};
use boundby::wait::classify::Reason;

pub(super) struct Teller {
    pub(super) books: Ledger,
    /// Lines nobody has read yet.
    pub(super) lines: Vec<u8>,
    /// The numbers that are given out next.
    site: u32,
    frame: u32,
    stack: u32,
}

impl Teller {
    pub(super) fn new(cpus: u32) -> Self {
        let begin = format!("{{\"begin\":{{\"format\":\"boundby/recording/1\",\"cpus\":{cpus}.0}}}}\n");
        let books = Ledger::new(f64::from(cpus));
        // Number 0 is what is not known.
        Self { books, lines: begin.into_bytes(), site: 1, frame: 0, stack: 1 }
    }

    pub(super) fn tell(&mut self, observation: Observation) {
        self.write(&line(&observation));
        self.books.replay(observation);
    }

    pub(super) fn write(&mut self, line: &str) {
        writeln!(self.lines, "{line}").expect("memory can be written to");
    }

    /// The number of a blocking point; written down when it is new.
    pub(super) fn site(&mut self, pid: i32, pc: u64, reason: &Reason) -> SiteId {
        let id = self.books.site(pid, pc, reason, 0);
        if id.0 >= self.site {
            self.site = id.0 + 1;
            self.write(&line(&Observation::Site { pid, pc, reason: reason.clone(), fan: 0 }));
        }
        id
    }

    /// The number of a stack of one frame; the unseen one, if there are too many.
    pub(super) fn stack(&mut self, frame: Frame) -> StackId {
        let Some(id) = self.books.stacks().frame(frame.clone()) else { return StackId::UNSEEN };
        if id.0 >= self.frame {
            self.frame = id.0 + 1;
            self.write(&line(&Observation::Frame { levels: vec![frame] }));
        }
        let stack = self.books.stacks().stack(&[id]);
        if stack.0 >= self.stack {
            self.stack = stack.0 + 1;
            self.write(&line(&Observation::Stack { frames: vec![id] }));
        }
        stack
    }
}

fn line(observation: &Observation) -> String {
    match observation {
        Observation::Process { pid, parent, at } => {
            format!(r#"{{"process":{{"pid":{pid},"parent":{parent},"at":{at}}}}}"#)
        }
        Observation::ProcessGone { pid, at } => format!(r#"{{"process-gone":{{"pid":{pid},"at":{at}}}}}"#),
        Observation::Thread(Birth { pid, tid, at, counters, newborn }) => {
            let counters = sums(*counters);
            format!(
                r#"{{"thread":{{"pid":{pid},"tid":{tid},"at":{at},"counters":[{counters}],"newborn":{newborn}}}}}"#
            )
        }
        Observation::ThreadGone { tid } => format!(r#"{{"thread-gone":{{"tid":{tid}}}}}"#),
        Observation::Site { pid, pc, reason, fan } => {
            let Reason { kind, operation, resource, external, event_loop } = reason;
            let (kind, resource) =
                (kind.name(), resource.as_ref().map_or("null".into(), |name| format!("{name:?}")));
            format!(
                r#"{{"site":{{"pid":{pid},"pc":{pc},"kind":"{kind}","operation":"{operation}","resource":{resource},"external":{external},"event_loop":{event_loop},"fan":{fan}}}}}"#
            )
        }
        Observation::Frame { levels } => {
            let level = |Frame { function, file, line, own }: &Frame| {
                let (file, line) = (file.as_deref().unwrap_or_default(), line.unwrap_or_default());
                format!("[{function:?},{file:?},{line},{own}]")
            };
            format!(r#"{{"frame":[{}]}}"#, list(levels, level))
        }
        Observation::Stack { frames } => {
            format!(r#"{{"stack":[{}]}}"#, list(frames, |FrameId(frame)| frame.to_string()))
        }
        Observation::Sampled { tid, stacks } => {
            let stacks = list(stacks, |StackId(stack)| stack.to_string());
            format!(r#"{{"sampled":{{"tid":{tid},"stacks":[{stacks}]}}}}"#)
        }
        Observation::Round { at, readings } => {
            format!(r#"{{"round":{{"at":{at},"readings":[{}]}}}}"#, list(readings, reading))
        }
        Observation::LastWords { at, reading: last } => {
            format!(r#"{{"last-words":{{"at":{at},"reading":{}}}}}"#, reading(last))
        }
        Observation::Exactly(Overlap { running, ready, woken, .. }) => {
            let running = list(running, u64::to_string);
            format!(r#"{{"exactly":{{"running":[{running}],"ready":{ready},"woken":{woken}}}}}"#)
        }
        Observation::Told { tid, waits } => {
            format!(r#"{{"told":{{"tid":{tid},"waits":[{}]}}}}"#, list(waits, told))
        }
        Observation::Lived(Life { pid, tid, name, born, died, counters, waits }) => {
            let (counters, waits) = (sums(*counters), list(waits, told));
            format!(
                r#"{{"lived":{{"pid":{pid},"tid":{tid},"name":"{name}","born":{born},"died":{died},"counters":[{counters}],"waits":[{waits}]}}}}"#
            )
        }
        other => unreachable!("a day has no {other:?}"),
    }
}

fn list<T>(of: &[T], write: impl Fn(&T) -> String) -> String {
    of.iter().map(write).collect::<Vec<_>>().join(",")
}

fn sums(Counters { run, delay, slices }: Counters) -> String {
    format!("{run},{delay},{slices}")
}

fn told(Told { site, time, ended, quiet, progress, lengths }: &Told) -> String {
    format!("[{},{time},{ended},{quiet},{progress},[{}]]", site.0, list(lengths, u64::to_string))
}

fn reading(Reading { tid, counters, seen, stack, quiet, .. }: &Reading) -> String {
    let place = match seen {
        Seen::Blocked(site) => site.0.to_string(),
        Seen::Active => r#""runs""#.to_owned(),
    };
    let quiet = quiet.map_or("null".to_owned(), |quiet| quiet.to_string());
    format!("[{tid},{},{place},{},{quiet}]", sums(*counters), stack.0)
}
