//! Inputs made of seeds: cut, repeated, spliced, and mixed with what parsers trip over.

/// What matters to one of the targets, or often matters to parsers.
const WORDS: [&[u8]; 40] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"data:",
    b"\nevent: forged\ndata: {}\n\n",
    b"id: 7\n",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xff",
    b"\xc3",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"1e999",
    b"-0",
    b"\"dialects\":{\"redseat\":{\"x\":1}}",
    b"\"data\":",
    b",",
    b"%",
    b"%0a",
    b"%c3%28",
    b"+",
    b"&",
    b"=",
    b"SECRET",
    b"Host: x\r\n",
    b"HTTP/1.1",
    b"\"\"\"",
];
/// Longer inputs find little more, and slower.
const MAX_BYTES: usize = 4096;

/// A row of numbers that looks random and is the same each time (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// The row of one round of one seed.
    pub(crate) fn of(seed: u64, round: u64) -> Self {
        let mut random = Self(seed);
        random.0 = random.next().wrapping_add(round);
        Self(random.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..start + self.below((length - start).min(64) + 1)
    }
}

/// One seed, changed in one to eight ways.
pub(crate) fn input(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(input.len() + 1);
        let range = random.range(input.len());
        match random.below(7) {
            0 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] ^= 1 << random.below(8);
            }
            1 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] = random.next().to_le_bytes()[0];
            }
            2 => drop(input.drain(range)),
            3 => {
                let copy = input[range].repeat(random.below(4));
                input.splice(at..at, copy);
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let piece = other[random.range(other.len())].to_vec();
                input.splice(range, piece);
            }
            _ => drop(input.splice(at..at, WORDS[random.below(WORDS.len())].iter().copied())),
        }
    }
    input.truncate(MAX_BYTES);
    input
}
