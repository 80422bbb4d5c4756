//! What somebody types at the live view: from a terminal's bytes to keys. Pure.

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Pause,
    Sort,
    Help,
    /// Back to where one was.
    Back,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    End,
}

/// What a byte alone means.
const BYTES: [(u8, Key); 13] = [
    (b'q', Key::Quit),
    (b'Q', Key::Quit),
    // Ctrl-C, where the terminal makes no signal of it.
    (3, Key::Quit),
    (b'p', Key::Pause),
    (b' ', Key::Pause),
    (b's', Key::Sort),
    (b'?', Key::Help),
    (b'h', Key::Help),
    (b'k', Key::Up),
    (b'j', Key::Down),
    (b'g', Key::Top),
    (b'G', Key::End),
    (0x1b, Key::Back),
];

/// What follows the escape of keys that send several bytes, as xterm and its kin, the console and rxvt send them.
const SEQUENCES: [(&[u8], Key); 14] = [
    (b"[A", Key::Up),
    (b"OA", Key::Up),
    (b"[B", Key::Down),
    (b"OB", Key::Down),
    (b"[5~", Key::PageUp),
    (b"[6~", Key::PageDown),
    (b"[H", Key::Top),
    (b"OH", Key::Top),
    (b"[1~", Key::Top),
    (b"[7~", Key::Top),
    (b"[F", Key::End),
    (b"OF", Key::End),
    (b"[4~", Key::End),
    (b"[8~", Key::End),
];

/// The keys in what was typed at once. A terminal sends the bytes of a key together; what means nothing is passed over.
pub(super) fn keys(mut typed: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let [first, rest @ ..] = typed {
        if let Some((bytes, key)) =
            SEQUENCES.iter().find(|(bytes, _)| *first == 0x1b && rest.starts_with(bytes))
        {
            keys.push(*key);
            typed = &rest[bytes.len()..];
        } else if *first == 0x1b && matches!(rest, [b'[' | b'O', ..]) {
            // Another key's: up to the byte that ends it.
            let end = rest.iter().skip(1).position(|byte| (0x40..=0x7e).contains(byte));
            typed = end.map_or(&[], |end| &rest[end + 2..]);
        } else {
            keys.extend(BYTES.iter().find(|(byte, _)| byte == first).map(|(_, key)| *key));
            typed = rest;
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_told_apart_however_many_come_at_once() {
        assert_eq!(keys(b"q"), [Key::Quit]);
        assert_eq!(keys(b"\x1b[Ajx\x1b[6~?"), [Key::Up, Key::Down, Key::PageDown, Key::Help]);
        assert_eq!(keys(b"\x1b"), [Key::Back]);
        // Ctrl-Delete and a press of the mouse are nobody's q.
        assert_eq!(keys(b"\x1b[3;5~ \x1b[<0;1;1Ms"), [Key::Pause, Key::Sort]);
        assert_eq!(keys(b"\x1b[3"), []);
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_panics(typed in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(keys(&typed).len() <= typed.len());
        }
    }
}
