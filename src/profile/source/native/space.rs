//! Where code is mapped in a process: `/proc/PID/maps` (proc(5)), its executable ranges only.

use super::image::ImageId;

/// Ranges remembered of one process; programs that make code at run time may have any number.
const REGIONS: usize = 16_384;

/// A range of addresses with code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    /// First address.
    pub(super) start: u64,
    /// First address behind it.
    pub(super) end: u64,
    /// Where in the file it begins.
    pub(super) offset: u64,
    /// Of the file; 0: none.
    pub(super) inode: u64,
    /// As the kernel prints it; empty: memory without a file.
    pub(super) path: String,
    /// The file's number, once it was asked for.
    pub(super) image: Lookup,
}

/// What is known of the file behind a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// It was not asked for.
    Unasked,
    /// It cannot be read, or there is none.
    Nothing,
    /// It is this one.
    Image(ImageId),
}

impl Region {
    /// Whether the range is backed by something that tells of its code.
    pub(super) fn has_image(&self) -> bool {
        self.inode != 0 || self.path == "[vdso]"
    }

    fn is_same_place(&self, other: &Self) -> bool {
        (self.start, self.end, self.offset, self.inode) == (other.start, other.end, other.offset, other.inode)
            && self.path == other.path
    }
}

/// The code of one process, in order of address.
#[derive(Debug, Default)]
pub(super) struct Space {
    regions: Vec<Region>,
}

impl Space {
    /// Takes a new listing; what was found out about ranges that stayed is kept.
    pub(super) fn renew(&mut self, listing: &str) {
        let before = std::mem::replace(&mut self.regions, parse(listing));
        for region in &mut self.regions {
            let known = before.binary_search_by_key(&region.start, |known| known.start);
            if let Some(known) = known.ok().map(|i| &before[i]).filter(|known| known.is_same_place(region)) {
                region.image = known.image;
            }
        }
    }

    /// The range an address is in.
    pub(super) fn at(&mut self, address: u64) -> Option<&mut Region> {
        let behind = self.regions.partition_point(|region| region.start <= address);
        self.regions[..behind].last_mut().filter(|region| address < region.end)
    }

    /// Whether there is code at an address.
    pub(super) fn has_code(&self, address: u64) -> bool {
        let behind = self.regions.partition_point(|region| region.start <= address);
        self.regions[..behind].last().is_some_and(|region| address < region.end)
    }
}

/// Executable ranges, in order of address. Lines that are not understood are left out.
fn parse(listing: &str) -> Vec<Region> {
    let mut regions: Vec<Region> = listing.lines().filter_map(region).take(REGIONS).collect();
    regions.sort_by_key(|region| region.start);
    regions
}

fn region(line: &str) -> Option<Region> {
    // The path is the rest of the line and may have any character in it.
    let mut rest = line;
    let mut word = || {
        let trimmed = rest.trim_start_matches(' ');
        let (word, behind) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        rest = behind;
        word
    };
    let (range, permissions, offset, _, inode) = (word(), word(), word(), word(), word());
    let (start, end) = range.split_once('-')?;
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let region = Region {
        start: hex(start)?,
        end: hex(end)?,
        offset: hex(offset)?,
        inode: inode.parse().ok()?,
        path: rest.trim_start_matches(' ').to_owned(),
        image: Lookup::Unasked,
    };
    (permissions.contains('x') && region.start < region.end).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "55d0000-55d1000 r--p 00000000 fe:00 11                         /usr/bin/x y\n\
        55d1000-55d3000 r-xp 00001000 fe:00 11                         /usr/bin/x y\n\
        7f00000-7f01000 rwxp 00000000 00:00 0 \n\
        7ff0000-7ff2000 r-xp 00000000 00:00 0                          [vdso]\nbroken\n7-6 r-xp 0 0:0 0\n";

    #[test]
    fn ranges_with_code_are_found_by_address() {
        let mut space = Space::default();
        space.renew(LISTING);
        let found = space.at(0x055d_2fff).unwrap();
        assert_eq!((found.path.as_str(), found.offset, found.inode), ("/usr/bin/x y", 0x1000, 11));
        assert!(space.at(0x055d_3000).is_none() && space.at(0x055d_0000).is_none() && space.at(0).is_none());
        assert!(!space.at(0x07f0_0000).unwrap().has_image() && space.at(0x07ff_0000).unwrap().has_image());
    }

    #[test]
    fn what_was_found_out_survives_a_new_listing() {
        let mut space = Space::default();
        space.renew(LISTING);
        space.at(0x055d_1000).unwrap().image = Lookup::Image(ImageId(3));
        space.at(0x07f0_0000).unwrap().image = Lookup::Nothing;
        space.renew(&LISTING.replace("7f01000", "7f02000"));
        assert_eq!(space.at(0x055d_1000).unwrap().image, Lookup::Image(ImageId(3)));
        assert_eq!(space.at(0x07f0_0000).unwrap().image, Lookup::Unasked);
    }
}
