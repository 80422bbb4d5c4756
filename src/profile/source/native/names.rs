//! What the frames of a run are called: looked up once, when it is over, so that no look at the program is delayed.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::debug_info::{DebugInfo, Level, Lines, Without, separate};
use super::go::{GoTable, INLINED_BASE};
use super::image::{CodeMap, Image, Images};
use super::ownership::{is_foreign_library, is_foreign_source, is_own_name, is_own_package, main_crates};
use super::perf_map;
use super::symbols::{self, Symbols};
use crate::profile::stack::{Frame, FrameId, Stacks};

/// How long lines are looked up, for all files together; what is left gets the names of its functions only.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest name kept, in characters: types may nest without end.
const NAME: usize = 400;
/// What compilers add to the name of a function they split or copied.
const COPIES: [&str; 5] = [".cold", ".part.", ".isra.", ".constprop.", ".llvm."];
/// How V8 names what stands between its functions and what they call.
const GLUE: [&str; 4] = ["Builtins_CEntry", "Builtins_InterpreterEntry", "Builtins_JSEntry", "Builtins_Call"];
/// How it names those functions of the language that it has compiled itself.
const BUILTIN: &str = "Builtins_";
/// Stands for code that was made at run time.
const GENERATED: &str = "[generated code]";

/// What came of naming.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Frames there were.
    pub frames: usize,
    /// Of these, how many have a source file and line.
    pub with_line: usize,
    /// Of these, how many have not even a name of their function.
    pub without_name: usize,
    /// Files with code of the program that had no debug information to use, and why.
    pub without_lines: Vec<(String, Without)>,
    /// Files that are not what they were when they ran: nothing of them has a name.
    pub changed: Vec<String>,
    /// There was no time for all lines.
    pub out_of_time: bool,
}

/// One file's names.
struct Names<'d> {
    symbols: &'d Symbols,
    lines: Option<&'d Lines<'d>>,
    image: &'d Image,
    /// Where Go's tables of what was put into functions begin.
    go_inlined: Option<u64>,
    /// Whether nothing in it is the program's own.
    is_foreign: bool,
    /// The program's own crates, where it is in Rust.
    crates: &'d [String],
}

impl Images {
    /// Names every frame that was seen.
    pub fn name_all(&self, stacks: &mut Stacks) -> Named {
        let until = Instant::now() + PATIENCE;
        let mut result = Named::default();
        for image in &self.files {
            name_image(image, stacks, until, &mut result);
        }
        for map in &self.maps {
            name_map(map, stacks, &mut result);
        }
        if let Some(frame) = self.generated_frame() {
            result.frames += 1;
            stacks.name(frame, vec![Frame { function: GENERATED.to_owned(), ..Frame::default() }]);
        }
        result
    }
}

fn name_map(map: &CodeMap, stacks: &mut Stacks, result: &mut Named) {
    let mut places: Vec<(u64, FrameId)> =
        map.places.iter().map(|(address, frame)| (*address, *frame)).collect();
    places.sort_unstable();
    result.frames += places.len();
    let addresses: Vec<u64> = places.iter().map(|(address, _)| *address).collect();
    for ((_, frame), name) in places.into_iter().zip(perf_map::names(&map.file, &addresses)) {
        result.with_line += usize::from(name.as_ref().is_some_and(|name| name.line.is_some()));
        result.without_name += usize::from(name.is_none());
        let name = name.unwrap_or_else(|| Frame { function: GENERATED.to_owned(), ..Frame::default() });
        stacks.name(frame, vec![Frame { function: shortened(name.function), ..name }]);
    }
}

fn name_image(image: &Image, stacks: &mut Stacks, until: Instant, result: &mut Named) {
    let mut places: Vec<(u64, FrameId)> =
        image.places.iter().filter_map(|(address, place)| Some((*address, place.frame?))).collect();
    places.sort_unstable();
    if places.is_empty() {
        return;
    }
    result.frames += places.len();
    if !image.is_unchanged() {
        result.without_name += places.len();
        result.changed.push(image.path.clone());
        return;
    }
    let is_foreign = image.is_runtime || is_foreign_library(&image.path);
    let separate = separate(&image.layout);
    let debug = DebugInfo::read(&image.source, &image.layout).or_else(|why| match &separate {
        Some((source, layout)) => DebugInfo::read(source, layout),
        None => Err(why),
    });
    match &debug {
        Err(why) if !is_foreign && image.go.is_none() => {
            result.without_lines.push((image.path.clone(), *why));
        }
        _ => {}
    }
    let symbols = match &separate {
        Some((source, layout)) if image.layout.section(".symtab").is_none() => Symbols::read(source, layout),
        _ => Symbols::read(&image.source, &image.layout),
    };
    let lines = debug.as_ref().ok().and_then(DebugInfo::lines);
    let crates = main_crates(symbols.all(), &image.path);
    let mut names = Names {
        symbols: &symbols,
        lines: lines.as_ref(),
        image,
        go_inlined: image
            .go
            .as_ref()
            .and_then(|_| symbols::address(&image.source, &image.layout, INLINED_BASE)),
        is_foreign,
        crates: &crates,
    };
    for (address, frame) in places {
        if names.lines.is_some() && Instant::now() > until {
            names.lines = None;
            result.out_of_time = true;
        }
        let levels = names.levels(address);
        result.with_line += usize::from(levels.iter().any(|level| level.line.is_some()));
        result.without_name += usize::from(levels.is_empty());
        stacks.name(frame, levels);
    }
}

impl Names<'_> {
    /// The levels at a link-time address, innermost first.
    fn levels(&self, address: u64) -> Vec<Frame> {
        if let Some(go) = &self.image.go {
            let levels = go.levels(address, &self.image.source, &self.image.layout, self.go_inlined);
            if !levels.is_empty() {
                return levels.into_iter().map(|level| self.frame_of_go(go, level)).collect();
            }
        }
        let mut symbol = self.symbols.at(address);
        if self.image.is_runtime
            && symbol.is_some_and(|symbol| GLUE.iter().any(|glue| symbol.starts_with(glue)))
        {
            return Vec::new();
        }
        if self.image.is_runtime {
            symbol = symbol.map(|symbol| symbol.strip_prefix(BUILTIN).unwrap_or(symbol));
        }
        let mut levels = self.lines.map(|lines| lines.at(address)).unwrap_or_default();
        // The outermost is the function that was compiled, which the linker knows by its full name.
        match levels.last_mut() {
            Some(outermost)
                if outermost.function.as_deref().is_none_or(|name| is_short_for(name, symbol)) =>
            {
                outermost.function = symbol.map(str::to_owned);
            }
            Some(_) => {}
            None => levels.extend(symbol.map(|name| Level {
                function: Some(name.to_owned()),
                file: None,
                line: None,
            })),
        }
        levels.into_iter().map(|level| self.frame(level)).collect()
    }

    fn frame_of_go(&self, go: &GoTable, level: Level) -> Frame {
        let function = level.function.unwrap_or_default();
        let own = !self.is_foreign && is_own_package(&function, go.module.as_deref());
        Frame { function, file: level.file, line: level.line, own }
    }

    fn frame(&self, level: Level) -> Frame {
        let function = level.function.as_deref().map(demangled).unwrap_or_default();
        let own = !self.is_foreign
            && match &level.file {
                Some(file) => !is_foreign_source(file),
                // A library in the file without lines, where the program has them.
                None if self.lines.is_some() && self.crates.is_empty() => false,
                None => is_own_name(&function, self.crates),
            };
        Frame { function, file: level.file, line: level.line, own }
    }
}

/// Whether a name in debug information is that of this symbol without the modules it is in. Two functions with the same
/// code may have become one, and the symbol be the other's.
fn is_short_for(name: &str, symbol: Option<&str>) -> bool {
    let Some(full) = symbol.map(demangled) else { return false };
    let plain = name.split('<').next().unwrap_or(name);
    let last = full.rsplit("::").next().unwrap_or(&full);
    last == plain || plain.starts_with("{closure") && last == "{{closure}}"
}

/// A function's name as its language has it.
fn demangled(name: &str) -> String {
    shortened(if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // Without the hash that tells builds apart.
        format!("{rust:#}")
    } else {
        // What linkers add is a version, behind an `@`.
        let name = name.split('@').next().unwrap_or(name);
        let base = COPIES.iter().filter_map(|copy| name.find(copy)).min().map_or(name, |end| &name[..end]);
        cpp(base).map_or_else(|| base.to_owned(), Cow::into_owned)
    })
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(NAME) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn cpp(name: &str) -> Option<Cow<'static, str>> {
    if !name.starts_with("_Z") {
        return None;
    }
    let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
    cpp_demangle::Symbol::new(name).ok()?.demangle_with_options(&options).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_as_their_language_has_them() {
        for (name, shown) in [
            ("_ZN3etl4load17h0123456789abcdefE", "etl::load"),
            ("_RNvCs1234_3etl4load", "etl::load"),
            ("_ZN5store3putERKNS_3rowE", "store::put"),
            ("read_rows.constprop.0", "read_rows"),
            ("clock_nanosleep@@GLIBC_2.17", "clock_nanosleep"),
            ("main", "main"),
            ("main.(*Server).serve", "main.(*Server).serve"),
        ] {
            assert_eq!(demangled(name), shown, "{name}");
        }
    }

    #[test]
    fn the_linker_completes_a_name() {
        let load = Some("_RNvCs1234_3etl4load");
        assert!(is_short_for("load", load) && is_short_for("load<u8>", load));
        assert!(!is_short_for("store", load) && !is_short_for("load", None));
        assert!(is_short_for("{closure#0}", Some("_RNCNvCs1234_3etl4load0B3_")));
    }
}
