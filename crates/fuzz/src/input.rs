//! Bytes as choices.

/// What is left of an input. Behind its end everything is zero.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `n`; the digit 0 is the first.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte().wrapping_sub(b'0')) % n
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// At most `n` bytes.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// What comes before the next line feed, which is taken too.
    pub fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\n', self.0).unwrap_or(self.0.len());
        let line = self.take(end);
        self.byte();
        line
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Changes `data` as long as `input` lasts: bytes flipped, zeroed, doubled, put in, cut off.
pub fn change(data: &mut Vec<u8>, input: &mut Input) {
    while !input.is_empty() {
        let (how, at) = (input.below(6), usize::from(input.u16()));
        let at = at % (data.len() + 1);
        match how {
            0 => {
                let by = input.byte();
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= by;
                }
            }
            1 => {
                let end = (at + usize::from(input.u16())).min(data.len());
                data[at..end].fill(0);
            }
            2 => {
                let end = (at + usize::from(input.u16() % 512)).min(data.len());
                // Bounded, however many of these come.
                if data.len() < 1 << 20 {
                    let copy = data[at..end].to_vec();
                    data.splice(end..end, copy);
                }
            }
            3 => {
                let n = input.below(16);
                let put = input.take(n).to_vec();
                data.splice(at..at, put);
            }
            4 => {
                let end = (at + usize::from(input.byte())).min(data.len());
                data.drain(at..end);
            }
            _ => data.truncate(at),
        }
    }
}
