//! What a compiler wrote down for unwinding: from an address of code to the rule that leads to its caller. Sources:
//! DWARF 5 section 6.4; Linux Standard Base core 5.0 chapter 10 (`.eh_frame`, `.eh_frame_hdr`).

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, Encoding, EndianSlice, EvaluationResult, Format, Location,
    NativeEndian, RegisterRule, UnwindContext, UnwindExpression, UnwindSection, Value,
};

use super::layout::{Layout, Source};
use super::memory::Memory;
use super::registers::{FRAME_POINTER, RETURN_ADDRESS, Registers, STACK_POINTER};

/// Longest table that is read, bytes: several times what the largest browsers have.
const TABLE: u64 = 64 << 20;
/// Longest table that is searched from its beginning, where it has no index.
const WITHOUT_INDEX: u64 = 4 << 20;
/// Steps of an expression.
const EXPRESSION_STEPS: u32 = 256;

type Bytes<'a> = EndianSlice<'a, NativeEndian>;
type Expression = UnwindExpression<usize>;

/// The unwind tables of one file.
#[derive(Debug, Default)]
pub(super) struct Cfi {
    table: Vec<u8>,
    index: Vec<u8>,
    bases: BaseAddresses,
}

/// How to get from a frame to its caller.
#[derive(Debug)]
pub(super) struct Rule {
    /// Where the function begins, link-time.
    pub(super) start: u64,
    /// The kernel made this frame when it delivered a signal: its caller was not calling anything.
    pub(super) is_signal: bool,
    frame: Frame,
    saved: Vec<(u8, Saved)>,
}

/// Where the frame is (the *canonical frame address*: the stack pointer before the call).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    From(u8, i64),
    Expression(Expression),
}

/// Where a register of the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saved {
    At(i64),
    Is(i64),
    In(u8),
    Same,
    AtExpression(Expression),
    IsExpression(Expression),
    Nowhere,
}

/// Why there is no way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The stack ends here.
    End,
    /// The frame lies relative to its frame pointer, which is not known.
    NeedsFramePointer,
    /// It makes no sense, or cannot be read.
    Broken,
}

impl Rule {
    /// Of a function whose return address is this far behind the stack pointer; `None`: its stack ends with it.
    pub(super) fn of_depth(start: u64, depth: Option<u64>) -> Option<Self> {
        let frame = match depth {
            Some(depth) => i64::try_from(depth).ok()?.checked_add(8)?,
            None => 0,
        };
        let way_back = if depth.is_some() { Saved::At(-8) } else { Saved::Nowhere };
        Some(Self {
            start,
            is_signal: false,
            frame: Frame::From(STACK_POINTER, frame),
            saved: vec![(RETURN_ADDRESS, way_back)],
        })
    }
}

impl Cfi {
    /// The tables of a file; `None` where it has none, or none that can be read.
    pub(super) fn read(source: &Source, layout: &Layout) -> Option<Self> {
        let address = |name| layout.section(name).map_or(0, |section| section.address);
        let index = layout.bytes(source, ".eh_frame_hdr", TABLE).unwrap_or_default();
        let table =
            layout.bytes(source, ".eh_frame", if index.is_empty() { WITHOUT_INDEX } else { TABLE })?;
        let bases = BaseAddresses::default()
            .set_eh_frame(address(".eh_frame"))
            .set_eh_frame_hdr(address(".eh_frame_hdr"))
            .set_text(address(".text"))
            .set_got(address(".got"));
        Some(Self { table, index, bases })
    }

    fn section(&self) -> EhFrame<Bytes<'_>> {
        let mut section = EhFrame::new(&self.table, NativeEndian);
        section.set_address_size(8);
        section
    }

    /// The rule for the code at a link-time address.
    pub(super) fn rule(&self, address: u64, context: &mut UnwindContext<usize>) -> Option<Rule> {
        let (section, bases) = (self.section(), &self.bases);
        let entry = if self.index.is_empty() {
            section.fde_for_address(bases, address, EhFrame::cie_from_offset)
        } else {
            let index = EhFrameHdr::new(&self.index, NativeEndian).parse(bases, 8).ok()?;
            let table = index.table()?;
            let found = table.lookup(address, bases).ok()?;
            // A damaged index leads to before the table, which is not looked for otherwise.
            if found.pointer() < index.eh_frame_ptr().pointer() {
                return None;
            }
            let offset = table.pointer_to_offset(found).ok()?;
            section.fde_from_offset(bases, offset, EhFrame::cie_from_offset)
        };
        let entry = entry.ok().filter(|entry| entry.contains(address))?;
        let row = entry.unwind_info_for_address(&section, bases, context, address).ok()?;
        let frame = match *row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                Frame::From(Registers::follows(register.0)?, offset)
            }
            CfaRule::Expression(expression) => Frame::Expression(expression),
        };
        let saved = row.registers().filter_map(|(register, rule)| {
            let saved = match *rule {
                RegisterRule::Offset(offset) => Saved::At(offset),
                RegisterRule::ValOffset(offset) => Saved::Is(offset),
                RegisterRule::Register(other) => Saved::In(Registers::follows(other.0)?),
                RegisterRule::SameValue => Saved::Same,
                RegisterRule::Expression(expression) => Saved::AtExpression(expression),
                RegisterRule::ValExpression(expression) => Saved::IsExpression(expression),
                _ => Saved::Nowhere,
            };
            Some((Registers::follows(register.0)?, saved))
        });
        Some(Rule {
            start: entry.initial_address(),
            is_signal: entry.is_signal_trampoline(),
            frame,
            saved: saved.collect(),
        })
    }

    /// The registers of the caller.
    pub(super) fn caller(
        &self,
        rule: &Rule,
        registers: &Registers,
        memory: &mut dyn Memory,
    ) -> Result<Registers, Stop> {
        let frame = match rule.frame {
            Frame::From(FRAME_POINTER, offset) => {
                let base = registers.get(FRAME_POINTER).ok_or(Stop::NeedsFramePointer)?;
                base.wrapping_add_signed(offset)
            }
            Frame::From(base, offset) => registers.get(base).ok_or(Stop::Broken)?.wrapping_add_signed(offset),
            Frame::Expression(expression) => {
                self.value(expression, None, registers, memory).ok_or(Stop::Broken)?
            }
        };
        self.caller_at(rule, frame, registers, memory)
    }

    /// The registers of the caller, where the frame is known.
    pub(super) fn caller_at(
        &self,
        rule: &Rule,
        frame: u64,
        registers: &Registers,
        memory: &mut dyn Memory,
    ) -> Result<Registers, Stop> {
        let mut caller = registers.kept();
        caller.set(STACK_POINTER, Some(frame));
        // A function that calls nothing may leave the way back in its register.
        caller.set(RETURN_ADDRESS, registers.get(RETURN_ADDRESS));
        for (register, saved) in &rule.saved {
            let value = match *saved {
                Saved::At(offset) => memory.word(frame.wrapping_add_signed(offset)),
                Saved::Is(offset) => Some(frame.wrapping_add_signed(offset)),
                Saved::In(other) => registers.get(other),
                Saved::Same => registers.get(*register),
                Saved::AtExpression(expression) => self
                    .value(expression, Some(frame), registers, memory)
                    .and_then(|address| memory.word(address)),
                Saved::IsExpression(expression) => self.value(expression, Some(frame), registers, memory),
                Saved::Nowhere if *register == RETURN_ADDRESS => return Err(Stop::End),
                Saved::Nowhere => None,
            };
            caller.set(*register, value);
        }
        caller.pc = caller.get(RETURN_ADDRESS).ok_or(Stop::Broken)?;
        caller.set(RETURN_ADDRESS, None);
        Ok(caller)
    }

    /// Whether the frame lies relative to the frame pointer, with what the caller had in it and the return address
    /// where a function puts them that begins with `push %rbp; mov %rsp, %rbp`.
    pub(super) fn has_usual_frame(rule: &Rule) -> bool {
        rule.frame == Frame::From(FRAME_POINTER, 16)
            && rule.saved.contains(&(FRAME_POINTER, Saved::At(-16)))
            && rule.saved.contains(&(RETURN_ADDRESS, Saved::At(-8)))
    }

    /// What an expression yields; it begins with the frame on its stack where that is known.
    fn value(
        &self,
        expression: Expression,
        frame: Option<u64>,
        registers: &Registers,
        memory: &mut dyn Memory,
    ) -> Option<u64> {
        let encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 4 };
        let mut evaluation = expression.get(&self.section()).ok()?.evaluation(encoding);
        evaluation.set_max_iterations(EXPRESSION_STEPS);
        if let Some(frame) = frame {
            evaluation.set_initial_value(frame);
        }
        let mut state = evaluation.evaluate().ok()?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresMemory { address, size: 8, .. } => {
                    evaluation.resume_with_memory(Value::Generic(memory.word(address)?)).ok()?
                }
                EvaluationResult::RequiresRegister { register, .. } => {
                    let number = Registers::follows(register.0)?;
                    let here = (number == RETURN_ADDRESS).then_some(registers.pc);
                    let value = Value::Generic(registers.get(number).or(here)?);
                    evaluation.resume_with_register(value).ok()?
                }
                _ => return None,
            };
        }
        match evaluation.as_result().last()?.location {
            Location::Address { address } => Some(address),
            _ => None,
        }
    }
}
