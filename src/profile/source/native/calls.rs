//! What machine code tells where unwind tables do not suffice: how far below its frame pointer a function keeps its
//! stack pointer, and whom the instruction before an address called. Pure; x86-64 only. Source of the encodings: Intel
//! 64 and IA-32 Architectures Software Developer's Manual, volume 2.

/// Bytes of a function's beginning that are looked at.
pub(super) const PROLOGUE: usize = 96;
/// Bytes of a stub of the linker.
pub(super) const STUB: usize = 16;
/// Bytes of the longest call.
pub(super) const CALL: usize = 7;

/// Whom a call calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// What is this far from the address behind the call.
    Near(i64),
    /// Whose address is kept this far from the address behind the call.
    Through(i64),
    /// That is told only when it runs.
    Anyone,
}

/// `call *…` is FF with operation 2: its lengths, modes, and whether another byte scales an index.
const INDIRECT: [(usize, u8, bool); 7] =
    [(2, 3, false), (2, 0, false), (3, 0, true), (3, 1, false), (4, 1, true), (6, 2, false), (7, 2, true)];

/// The call that ends where `code` does.
pub(super) fn call_before(code: &[u8]) -> Option<Call> {
    let tail = |length: usize| code.len().checked_sub(length).map(|start| &code[start..]);
    let near = |bytes: &[u8]| bytes.try_into().ok().map(|four| i64::from(i32::from_le_bytes(four)));
    if let Some([0xe8, distance @ ..]) = tail(5) {
        return near(distance).map(Call::Near);
    }
    if let Some([0xff, 0x15, distance @ ..]) = tail(6) {
        return near(distance).map(Call::Through);
    }
    let is_call = INDIRECT.iter().any(|(length, mode, scaled)| {
        matches!(tail(*length), Some([0xff, shape, ..])
            if shape >> 6 == *mode && shape >> 3 & 7 == 2 && (*mode == 3 || (shape & 7 == 4) == *scaled))
    });
    is_call.then_some(Call::Anyone)
}

/// Where a stub of the linker (`jmp *…(%rip)`, perhaps behind `endbr64` or with `bnd`) keeps the address it goes to,
/// from the stub's beginning.
pub(super) fn stub_slot(code: &[u8]) -> Option<i64> {
    let at = if code.starts_with(&ENDBR64) { ENDBR64.len() } else { 0 };
    let at = at + usize::from(code.get(at) == Some(&0xf2));
    match code.get(at..at + 6)? {
        [0xff, 0x25, distance @ ..] => {
            let distance = i32::from_le_bytes(distance.try_into().ok()?);
            Some(at as i64 + 6 + i64::from(distance))
        }
        _ => None,
    }
}

const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
const PUSH_RBP: u8 = 0x55;
/// Prefix of what works with 64 bits and the first eight registers.
const WIDE: u8 = 0x48;

/// How far below its frame pointer the stack pointer is once a function has begun: what it pushes and takes. `None`:
/// it does not begin with a frame pointer, or aligns its stack.
pub(super) fn frame_depth(code: &[u8]) -> Option<u64> {
    let code = code.strip_prefix(&ENDBR64).unwrap_or(code);
    let mut code = code.strip_prefix(&[PUSH_RBP])?;
    let mut depth: Option<u64> = None;
    loop {
        let (prefix, rest) = match code {
            [prefix @ 0x40..=0x4f, rest @ ..] => (*prefix, rest),
            _ => (0, code),
        };
        let length = match rest {
            // push
            [0x50..=0x57, ..] => {
                depth = depth.map(|depth| depth + 8);
                1
            }
            // mov %rsp, %rbp
            [0x89, 0xe5, ..] | [0x8b, 0xec, ..] if prefix == WIDE => {
                depth = Some(0);
                2
            }
            // sub $…, %rsp
            [0x83, 0xec, size @ 0..=0x7f, ..] if prefix == WIDE => return Some(depth? + u64::from(*size)),
            [0x81, 0xec, a, b, c, d @ 0..=0x7f, ..] if prefix == WIDE => {
                return Some(depth? + u64::from(u32::from_le_bytes([*a, *b, *c, *d])));
            }
            // and $…, %rsp: how far depends on where the stack was.
            [0x81 | 0x83, 0xe4, ..] if prefix == WIDE => return None,
            // Compilers begin with the function's own work meanwhile: xor, test, mov, lea; mov $….
            [0x31 | 0x33 | 0x85 | 0x89 | 0x8b | 0x8d, operands @ ..] => 1 + operands_length(operands)?,
            [0xb8..=0xbf, ..] if prefix & 8 == 0 => 5,
            _ => return depth,
        };
        code = rest.get(length..)?;
    }
}

/// How many bytes say which register and which address an instruction uses.
fn operands_length(operands: &[u8]) -> Option<usize> {
    let (mode, base) = (operands.first()? >> 6, operands[0] & 7);
    let (scale, base) = match (mode, base) {
        (0..=2, 4) => (1, operands.get(1)? & 7),
        _ => (0, base),
    };
    let distance = match (mode, base) {
        (1, _) => 1,
        (2, _) | (0, 5) => 4,
        _ => 0,
    };
    Some(1 + scale + distance)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn calls_are_told_by_the_bytes_before_the_return_address() {
        for (code, call) in [
            (&[0x90, 0x90, 0xe8, 0xfb, 0xff, 0xff, 0xff][..], Some(Call::Near(-5))),
            (&[0x90, 0xff, 0x15, 0x10, 0, 0, 0], Some(Call::Through(16))),
            // call *%rax; call *0x18(%rcx); call *(%rdx,%rax,8); call *0x100(%rbx)
            (&[0, 0, 0, 0, 0, 0xff, 0xd0], Some(Call::Anyone)),
            (&[0, 0, 0, 0, 0xff, 0x51, 0x18], Some(Call::Anyone)),
            (&[0, 0, 0, 0, 0xff, 0x14, 0xc2], Some(Call::Anyone)),
            (&[0, 0xff, 0x93, 0, 1, 0, 0], Some(Call::Anyone)),
            // jmp *%rax; nothing at all
            (&[0, 0, 0, 0, 0, 0xff, 0xe0], None),
            (&[], None),
        ] {
            assert_eq!(call_before(code), call, "{code:x?}");
        }
    }

    #[test]
    fn the_beginning_of_a_function_tells_how_deep_its_stack_is() {
        // push %rbp; mov %rsp,%rbp; push %r15; push %rbx; sub $0x58,%rsp
        let usual = [0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x53, 0x48, 0x83, 0xec, 0x58, 0x90];
        assert_eq!(frame_depth(&usual), Some(16 + 0x58));
        assert_eq!(frame_depth(&[&ENDBR64[..], &usual].concat()), Some(16 + 0x58));
        // …; mov %rdi,%rbx; sub $0x1000,%rsp
        let large = [0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x89, 0xfb, 0x48, 0x81, 0xec, 0, 0x10, 0, 0];
        assert_eq!(frame_depth(&large), Some(8 + 0x1000));
        // …; and $-64,%rsp
        assert_eq!(frame_depth(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xc0]), None);
        assert_eq!(frame_depth(&[0x53, 0x48, 0x83, 0xec, 0x10]), None);
        // push %rbp; xor %ecx,%ecx; lea 0x216(%rip),%rdx; mov %rsp,%rbp; push %rbx; lea -0x18(%rbp),%rbx; sub $0x18,%rsp
        let mixed = [
            0x55, 0x31, 0xc9, 0x48, 0x8d, 0x15, 0x16, 2, 0, 0, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x8d, 0x5d,
            0xe8, 0x48, 0x83, 0xec, 0x18,
        ];
        assert_eq!(frame_depth(&mixed), Some(8 + 0x18));
    }

    #[test]
    fn a_stub_of_the_linker_is_seen_through() {
        assert_eq!(stub_slot(&[0xff, 0x25, 0x0a, 0, 0, 0]), Some(16));
        assert_eq!(stub_slot(&[0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 5, 0, 0, 0]), Some(16));
        assert_eq!(stub_slot(&[0x68, 0, 0, 0, 0, 0xe9]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_code(code in proptest::collection::vec(any::<u8>(), 0..100)) {
            call_before(&code);
            stub_slot(&code);
            frame_depth(&code);
        }
    }
}
