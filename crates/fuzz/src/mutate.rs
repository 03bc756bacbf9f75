//! Mutations of known inputs, for the plain loop. The same seed gives the same mutations.

/// Parts of what the targets read.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\n",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "-0",
    "1e999",
    "0.1",
    "{\"a\":1}",
    "a,b\n",
    "features[*]",
    "\u{feff}",
    "(",
    ")",
    "CASE WHEN b THEN 1 END",
    " AND ",
    " OR ",
    " NOT ",
    "NULL",
    " IS NULL",
    " IN (1, 2)",
    " BETWEEN 1 AND 2",
    " LIKE '%_'",
    "CAST(f AS INTEGER)",
    "f / i",
    "s || s",
    "COALESCE(",
    "ROUND(f, 2)",
    "-",
    "%",
    "'",
    "--",
    "/*",
    "9223372036854775807",
    "INTERVAL '1 day'",
    "PAR1",
    "DASHSPL\n",
];

/// Numbers that are drawn one after the other.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Xorshift never leaves zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// One of `known` with one to four changes. At most 64 KiB.
pub fn mutated(known: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = match known {
        [] => Vec::new(),
        _ => known[random.below(known.len())].clone(),
    };
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        match random.below(8) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 if at < data.len() => data[at] = [0, 1, 0x7f, 0x80, 0xff, b'0', b'9'][random.below(7)],
            2 => data.insert(at, random.next() as u8),
            3 => {
                let end = (at + 1 + random.below(8)).min(data.len());
                data.drain(at..end);
            }
            4 => {
                let end = (at + 1 + random.below(64)).min(data.len());
                let copy = data[at..end].to_vec();
                let to = random.below(data.len() + 1);
                data.splice(to..to, copy);
            }
            5 if !known.is_empty() => {
                let other = &known[random.below(known.len())];
                let from = random.below(other.len() + 1);
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            6 if random.below(8) == 0 => data.truncate(at),
            _ => {
                let word = WORDS[random.below(WORDS.len())].bytes();
                data.splice(at..at, word);
            }
        }
    }
    data.truncate(64 << 10);
    data
}
