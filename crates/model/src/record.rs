//! The raw records of a batch, byte for byte as they came.

use bytes::{Bytes, BytesMut};

/// Records as spans of one shared buffer: a body of 10,000 lines costs one allocation, not 10,000.
///
/// The buffer may hold more than the records (line ends, commas, a whole GeoJSON head).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSet {
    data: Bytes,
    /// Start and end of each record in `data`.
    spans: Vec<(u32, u32)>,
}

impl RecordSet {
    /// Spans of `data`.
    ///
    /// # Panics
    /// When a span lies outside `data`: that is a fault of the caller, never of the data.
    pub fn new(data: Bytes, spans: Vec<(u32, u32)>) -> Self {
        assert!(
            spans.iter().all(|&(a, b)| a <= b && b as usize <= data.len()),
            "a record lies outside its buffer"
        );
        Self { data, spans }
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes of the records alone.
    pub fn bytes(&self) -> usize {
        self.spans.iter().map(|&(a, b)| (b - a) as usize).sum()
    }

    pub fn get(&self, row: usize) -> Option<&[u8]> {
        self.spans.get(row).map(|&(a, b)| &self.data[a as usize..b as usize])
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.spans.iter().map(|&(a, b)| &self.data[a as usize..b as usize])
    }
}

/// Builds a set record by record, where they are not slices of one body.
impl<'r> FromIterator<&'r [u8]> for RecordSet {
    fn from_iter<I: IntoIterator<Item = &'r [u8]>>(records: I) -> Self {
        let mut data = BytesMut::new();
        let spans = records
            .into_iter()
            .map(|r| {
                let start = data.len() as u32;
                data.extend_from_slice(r);
                (start, data.len() as u32)
            })
            .collect();
        Self {
            data: data.freeze(),
            spans,
        }
    }
}
