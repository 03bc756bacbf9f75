//! Decompression that never yields more than it may.

use std::io::{self, Read};

use bytes::Bytes;

use crate::{Encoding, IngestError, Limits};

/// Largest window of a zstd body: what RFC 8878 asks every reader to support, 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// The plain body. A bomb costs `limits.inflated_bytes` and the window of the decompressor, no more.
pub fn inflate(body: Bytes, encoding: Encoding, limits: &Limits) -> Result<Bytes, IngestError> {
    let limit = limits.inflated_bytes;
    match encoding {
        Encoding::Identity if body.len() > limit => Err(too_large(limit)),
        Encoding::Identity => Ok(body),
        Encoding::Gzip => read_bounded(
            flate2::bufread::MultiGzDecoder::new(&body[..]),
            "gzip",
            body.len(),
            limit,
        ),
        Encoding::Zstd => {
            let fail = |e: io::Error| unreadable("zstd", &e);
            let mut reader = zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(fail)?;
            reader.window_log_max(ZSTD_WINDOW_LOG).map_err(fail)?;
            read_bounded(reader, "zstd", body.len(), limit)
        }
    }
}

fn read_bounded(mut from: impl Read, name: &str, body: usize, limit: usize) -> Result<Bytes, IngestError> {
    let mut out = vec![0; body.saturating_mul(4).max(4_096).min(limit.max(1))];
    let mut len = 0;
    loop {
        if len == out.len() {
            if len >= limit {
                // Full: only the end may follow.
                return match from.read(&mut [0]).map_err(|e| unreadable(name, &e))? {
                    0 => {
                        out.truncate(len);
                        Ok(out.into())
                    }
                    _ => Err(too_large(limit)),
                };
            }
            // Exact, so that the capacity never passes the limit.
            let more = out.len().min(limit - out.len());
            out.reserve_exact(more);
            out.resize(len + more, 0);
        }
        match from.read(&mut out[len..]).map_err(|e| unreadable(name, &e))? {
            0 => break,
            n => len += n,
        }
        // The buffer holds a byte even where none is allowed: a reader that is asked for none says nothing.
        if len > limit {
            return Err(too_large(limit));
        }
    }
    out.truncate(len);
    Ok(out.into())
}

fn too_large(allowed: usize) -> IngestError {
    IngestError::InflatedTooLarge {
        as_what: "inflated",
        allowed,
    }
}

fn unreadable(name: &str, error: &io::Error) -> IngestError {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => error.to_string(),
    };
    IngestError::Malformed(format!(
        "it cannot be read as {name}: {what}; compress it again, or leave Content-Encoding out when it is not compressed \
         (zstd windows may have up to 8 MiB)"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(data).unwrap();
        out.finish().unwrap()
    }

    fn run(body: Vec<u8>, encoding: Encoding, inflated_bytes: usize) -> Result<Bytes, IngestError> {
        let limits = Limits {
            inflated_bytes,
            ..Limits::default()
        };
        inflate(body.into(), encoding, &limits)
    }

    #[test]
    fn a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        for (encoding, pack) in [
            (Encoding::Identity, (|d: &[u8]| d.to_vec()) as fn(&[u8]) -> Vec<u8>),
            (Encoding::Gzip, |d| gzip(d)),
            (Encoding::Zstd, |d| zstd::encode_all(d, 3).unwrap()),
        ] {
            let data = vec![b'x'; 10_001];
            assert_eq!(run(pack(&data[1..]), encoding, 10_000).unwrap(), &data[1..]);
            for (data, limit) in [(&data[..], 10_000), (b"x", 0)] {
                let error = run(pack(data), encoding, limit).unwrap_err();
                assert!(matches!(error, IngestError::InflatedTooLarge { .. }), "{error:?}");
            }
        }
    }

    #[test]
    fn gzip_members_and_zstd_frames_follow_each_other() {
        let both = [gzip(b"{\"a\":1}\n"), gzip(b"{\"a\":2}\n")].concat();
        assert_eq!(
            &run(both, Encoding::Gzip, 1 << 20).unwrap()[..],
            b"{\"a\":1}\n{\"a\":2}\n"
        );
        let frame = |d: &[u8]| zstd::encode_all(d, 3).unwrap();
        let both = [frame(b"one"), frame(b"two")].concat();
        assert_eq!(&run(both, Encoding::Zstd, 1 << 20).unwrap()[..], b"onetwo");
    }

    #[test]
    fn a_cut_stream_is_malformed_wherever_it_is_cut() {
        let data: Vec<u8> = (0..2_000u32).flat_map(|i| i.to_le_bytes()).collect();
        for (encoding, packed) in [
            (Encoding::Gzip, gzip(&data)),
            (Encoding::Zstd, zstd::encode_all(&data[..], 3).unwrap()),
        ] {
            for cut in 1..packed.len() {
                let error = run(packed[..cut].to_vec(), encoding, 1 << 20).unwrap_err();
                assert!(
                    matches!(error, IngestError::Malformed(_)),
                    "{encoding:?} {cut}: {error:?}"
                );
            }
        }
    }

    #[test]
    fn a_window_of_128_mib_is_refused() {
        let mut out = zstd::Encoder::new(Vec::new(), 3).unwrap();
        out.window_log(27).unwrap();
        out.write_all(b"small").unwrap();
        let error = run(out.finish().unwrap(), Encoding::Zstd, 1 << 30).unwrap_err();
        assert!(error.to_string().contains("8 MiB"), "{error}");
    }
}
