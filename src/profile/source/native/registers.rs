//! The registers an unwinder follows, each known or not, by their numbers in DWARF.
//!
//! Numbers: System V ABI AMD64 figure 3.36; DWARF for the Arm 64-bit Architecture section 4.1.

/// Numbers of DWARF that are followed: general registers, stack pointer, return address.
const COUNT: usize = 33;

#[cfg(target_arch = "x86_64")]
mod numbers {
    pub(in super::super) const STACK_POINTER: u8 = 7;
    pub(in super::super) const FRAME_POINTER: u8 = 6;
    pub(in super::super) const RETURN_ADDRESS: u8 = 16;
    /// What a function must leave as it was: rbx, rbp, r12 to r15.
    pub(super) const KEPT: &[u8] = &[3, 6, 12, 13, 14, 15];
}

#[cfg(not(target_arch = "x86_64"))]
mod numbers {
    pub(in super::super) const STACK_POINTER: u8 = 31;
    pub(in super::super) const FRAME_POINTER: u8 = 29;
    pub(in super::super) const RETURN_ADDRESS: u8 = 30;
    /// What a function must leave as it was: x19 to x29.
    pub(super) const KEPT: &[u8] = &[19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
}

pub(super) use numbers::{FRAME_POINTER, RETURN_ADDRESS, STACK_POINTER};

/// What is known of the registers of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// Address of the next instruction.
    pub pc: u64,
    values: [u64; COUNT],
    /// A bit for each that is known.
    known: u64,
}

impl Registers {
    /// Nothing is known but the address of the next instruction.
    #[must_use]
    pub fn unknown(pc: u64) -> Self {
        Self { pc, values: [0; COUNT], known: 0 }
    }

    /// Only where the code and the stack are: what the kernel tells of a blocked thread.
    #[must_use]
    pub fn blocked(pc: u64, sp: u64) -> Self {
        let mut registers = Self::unknown(pc);
        registers.set(STACK_POINTER, Some(sp));
        registers
    }

    /// The value of a register, where it is known.
    #[must_use]
    pub fn get(&self, number: u8) -> Option<u64> {
        self.values.get(usize::from(number)).copied().filter(|_| self.known >> number & 1 == 1)
    }

    /// Sets a register; a number that is not followed is left alone.
    pub fn set(&mut self, number: u8, value: Option<u64>) {
        if let Some(place) = self.values.get_mut(usize::from(number)) {
            *place = value.unwrap_or(0);
            self.known = self.known & !(1 << number) | u64::from(value.is_some()) << number;
        }
    }

    /// Where the stack ends, innermost.
    pub(super) fn sp(&self) -> u64 {
        self.get(STACK_POINTER).unwrap_or(0)
    }

    /// The registers of a caller, as far as its callee left them alone.
    pub(super) fn kept(&self) -> Self {
        let mut kept = Self::unknown(0);
        for number in numbers::KEPT {
            kept.set(*number, self.get(*number));
        }
        kept
    }

    /// Whether a number is followed.
    pub(super) fn follows(number: u16) -> Option<u8> {
        u8::try_from(number).ok().filter(|number| usize::from(*number) < COUNT)
    }
}
