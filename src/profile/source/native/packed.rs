//! Unpacks sections that a linker compressed. Bytes in, bytes out, never more than was promised. Source of the format:
//! System V ABI, chapter 4, "Section Compression".

use std::io::Read;

use object::elf::{ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD};
use ruzstd::decoding::StreamingDecoder;

/// The bytes of a section that was packed in this way (`ch_type`) and promises to have `size` of them; `None`: it does
/// not, or nobody here knows the way.
pub(super) fn unpacked(way: u32, bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let plain = match way {
        ELFCOMPRESS_ZLIB => miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(bytes, size).ok()?,
        ELFCOMPRESS_ZSTD => {
            let mut plain = Vec::new();
            let decoder = StreamingDecoder::new(bytes).ok()?;
            decoder.take((size as u64).saturating_add(1)).read_to_end(&mut plain).ok()?;
            plain
        }
        _ => return None,
    };
    (plain.len() == size).then_some(plain)
}

/// Whether sections packed in this way can be unpacked.
pub(super) fn is_known(way: u32) -> bool {
    [ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD].contains(&way)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// "wait" a hundred times, as zlib and as zstd write it.
    const ZLIB: &[u8] = &[
        0x78, 0x9c, 0x2b, 0x4f, 0xcc, 0x2c, 0x29, 0x1f, 0xc5, 0x83, 0x06, 0x03, 0x00, 0xbb, 0x87, 0xaa, 0xb5,
    ];
    const ZSTD: &[u8] = &[
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x5d, 0x00, 0x00, 0x20, 0x77, 0x61, 0x69, 0x74, 0x01, 0x00, 0x89,
        0xab, 0x8e, 0x08, 0xf5, 0x28, 0xcb, 0x96,
    ];

    #[test]
    fn both_ways_give_back_what_was_packed_and_nothing_else() {
        let plain = b"wait".repeat(100);
        for (way, packed) in [(ELFCOMPRESS_ZLIB, ZLIB), (ELFCOMPRESS_ZSTD, ZSTD)] {
            assert_eq!(unpacked(way, packed, plain.len()).as_ref(), Some(&plain), "{way}");
            // More or less than was promised, cut off, or empty.
            assert_eq!(unpacked(way, packed, plain.len() - 1), None, "{way}");
            assert_eq!(unpacked(way, packed, plain.len() + 1), None, "{way}");
            assert_eq!(unpacked(way, &packed[..packed.len() / 2], plain.len()), None, "{way}");
            assert_eq!(unpacked(way, &[], plain.len()), None, "{way}");
        }
        assert_eq!(unpacked(3, ZLIB, plain.len()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_unpack_to_what_was_promised_or_to_nothing(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..40, size in 0usize..1000,
        ) {
            for (way, good) in [(ELFCOMPRESS_ZLIB, ZLIB), (ELFCOMPRESS_ZSTD, ZSTD)] {
                // Damaged somewhere, or anything at all.
                let mut damaged = good.to_vec();
                damaged.splice(at.min(good.len()).., bytes.iter().copied());
                for bytes in [&damaged, &bytes] {
                    if let Some(plain) = unpacked(way, bytes, size) {
                        prop_assert_eq!(plain.len(), size);
                    }
                }
            }
        }
    }
}
