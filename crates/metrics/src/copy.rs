//! PostgreSQL's binary COPY format, written straight into buffers.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

/// Signature, flags, length of the header's extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
/// PostgreSQL counts from 2000-01-01.
const EPOCH_2000: i64 = 946_684_800_000_000;
/// A chunk is handed out when it has grown to this.
const CHUNK: usize = 256 * 1024;
/// A row of `metrics`: the number of columns, then four columns of 8 bytes, each with its length.
const POINT: usize = 2 + 4 * 12;

/// Collects rows; [`Encoder::take`] hands out what is there once it is worth sending.
pub struct Encoder {
    buffer: BytesMut,
}

impl Encoder {
    pub fn new() -> Self {
        let mut buffer = BytesMut::with_capacity(CHUNK + POINT);
        buffer.put_slice(HEADER);
        Self { buffer }
    }

    /// A row of `metrics (time, series_id, value, event)`.
    pub fn point(&mut self, time: i64, series: i64, value: f64, event: i64) {
        let mut row = [0; POINT];
        row[1] = 4;
        for (i, cell) in [
            time.saturating_sub(EPOCH_2000).to_be_bytes(),
            series.to_be_bytes(),
            value.to_be_bytes(),
            event.to_be_bytes(),
        ]
        .iter()
        .enumerate()
        {
            let at = 2 + i * 12;
            row[at + 3] = 8;
            row[at + 4..at + 12].copy_from_slice(cell);
        }
        self.buffer.put_slice(&row);
    }

    /// Begins a row of `columns` columns; as many cells must follow.
    pub fn row(&mut self, columns: i16) -> &mut Self {
        self.buffer.put_i16(columns);
        self
    }

    pub fn int8(&mut self, value: i64) -> &mut Self {
        self.cell(&value.to_be_bytes())
    }

    /// `timestamptz` from microseconds since 1970.
    pub fn time(&mut self, micros: i64) -> &mut Self {
        self.int8(micros.saturating_sub(EPOCH_2000))
    }

    pub fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.cell(value.as_bytes())
    }

    pub fn bytea(&mut self, value: &[u8]) -> &mut Self {
        self.cell(value)
    }

    /// `jsonb` from its text.
    pub fn jsonb(&mut self, text: &str) -> &mut Self {
        self.length(text.len() + 1);
        self.buffer.put_u8(1);
        self.buffer.put_slice(text.as_bytes());
        self
    }

    fn cell(&mut self, bytes: &[u8]) -> &mut Self {
        self.length(bytes.len());
        self.buffer.put_slice(bytes);
        self
    }

    fn length(&mut self, bytes: usize) {
        self.buffer
            .put_i32(i32::try_from(bytes).expect("records are far shorter than 2 GiB"));
    }

    /// What has been collected, once it fills a chunk.
    pub fn take(&mut self) -> Option<Bytes> {
        (self.buffer.len() >= CHUNK).then(|| {
            let chunk = self.buffer.split().freeze();
            self.buffer.reserve(CHUNK + POINT);
            chunk
        })
    }

    /// The rest, with the end mark.
    pub fn finish(mut self) -> Bytes {
        self.buffer.put_i16(TRAILER);
        self.buffer.freeze()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use proptest::prelude::*;

    use super::*;

    /// Reads what the format's description says, not what the encoder does.
    fn decode(mut bytes: Bytes) -> Vec<Vec<Bytes>> {
        assert_eq!(&bytes.split_to(11)[..], b"PGCOPY\n\xff\r\n\0");
        assert_eq!((bytes.get_u32(), bytes.get_u32()), (0, 0));
        let mut rows = Vec::new();
        loop {
            let columns = bytes.get_i16();
            if columns == -1 {
                assert!(bytes.is_empty(), "nothing follows the end mark");
                return rows;
            }
            let cell = |_| {
                let length = bytes.get_i32();
                bytes.split_to(usize::try_from(length).expect("no nulls"))
            };
            rows.push((0..columns).map(cell).collect());
        }
    }

    proptest! {
        #[test]
        fn points_come_out_as_they_went_in(
            points in prop::collection::vec((-60_000_000_000_000_000i64..=9_000_000_000_000_000_000, any::<i64>(), any::<f64>(), any::<i64>()), 0..200)
        ) {
            let mut encoder = Encoder::new();
            for &(t, s, v, e) in &points {
                encoder.point(t, s, v, e);
            }
            let rows = decode(encoder.finish());
            prop_assert_eq!(rows.len(), points.len());
            for (mut row, (t, s, v, e)) in rows.into_iter().zip(points) {
                prop_assert_eq!(row.len(), 4);
                prop_assert!(row.iter().all(|cell| cell.len() == 8));
                prop_assert_eq!(row[0].get_i64(), t - 946_684_800_000_000);
                prop_assert_eq!(row[1].get_i64(), s);
                prop_assert_eq!(row[2].get_u64(), v.to_bits());
                prop_assert_eq!(row[3].get_i64(), e);
            }
        }

        #[test]
        fn other_cells_come_out_as_they_went_in(raw in prop::collection::vec(any::<u8>(), 0..300), json in ".{0,50}", id in any::<u128>()) {
            let mut encoder = Encoder::new();
            encoder.row(3).bytea(&raw).jsonb(&json).uuid(Uuid::from_u128(id));
            let rows = decode(encoder.finish());
            let jsonb = [&[1], json.as_bytes()].concat();
            prop_assert_eq!(rows, vec![vec![Bytes::from(raw), Bytes::from(jsonb), Bytes::copy_from_slice(&id.to_be_bytes())]]);
        }
    }

    #[test]
    fn chunks_joined_are_one_stream() {
        let mut encoder = Encoder::new();
        let mut stream = BytesMut::new();
        for i in 0..20_000 {
            encoder.point(i, i, 0.5, i);
            if let Some(chunk) = encoder.take() {
                stream.put(chunk);
            }
        }
        assert!(stream.len() > CHUNK, "more than one chunk");
        stream.put(encoder.finish());
        assert_eq!(decode(stream.freeze()).len(), 20_000);
    }
}
