//! Guards held across an `await`, and guards that are dropped before they guard anything.

use super::super::held::{self, Guard, Kind, While};
use super::super::names::FunctionId;
use super::super::program::Program;
use super::observe;
use crate::finding::Observation;

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    for id in program.functions() {
        let is_async = program.function(id).marks.is_async;
        let mut told = Vec::new();
        held::follow(program, id, |guards, happens| match happens {
            While::Await(spot) if is_async => {
                for guard in guards {
                    if !told.contains(&guard.call) {
                        told.push(guard.call);
                        found.push(across_await(program, id, guard, spot.start.0));
                    }
                }
            }
            While::Discarded(guard, spot) if guard.kind != Kind::Borrow => {
                let place = program.place(id.file, spot);
                let mut seen =
                    observe(program, "let-underscore-lock", id, place, &held::written(program, guard));
                seen.place = program.call_place(guard.call);
                found.push(seen);
            }
            _ => {}
        });
    }
}

fn across_await(program: &Program<'_>, id: FunctionId, guard: &Guard, line: u32) -> Observation {
    let rule = match guard.kind {
        Kind::Thread => "lock-guard-across-await",
        Kind::Async => "async-guard-across-await",
        Kind::Borrow => "refcell-borrow-across-await",
    };
    let mut seen = observe(program, rule, id, program.call_place(guard.call), &held::written(program, guard));
    seen.facts.push(("await_line", line.to_string()));
    seen.facts.push(("guard", program.callee(guard.call).to_string()));
    seen
}
