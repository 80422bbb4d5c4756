//! Futures that lose what they have done when `select!` drops them.

use super::super::facts::Callee;
use super::super::program::Program;
use super::super::vocabulary as words;
use super::observe;
use crate::finding::Observation;

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    for call in program.calls() {
        let this = program.call(call);
        // Once is the end of it; in a loop the next round begins anew.
        if !this.how.in_select || !this.how.in_loop || !this.how.awaited {
            continue;
        }
        let Callee::Method(_, name) = this.callee else { continue };
        let method = program.facts(call.file).text(name);
        let own = matches!(program.target(call), super::super::values::Target::Project(_));
        if words::loses_progress(method) && !own {
            let id = program.caller(call);
            found.push(observe(program, "select-cancel-unsafe", id, program.call_place(call), method));
        }
    }
}
