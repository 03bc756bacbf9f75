//! What a spool no longer holds, as any process can see it.

use std::path::Path;

use dash_metrics::Floor;
use dash_model::EventSeq;

/// A segment is named by the sequence of its first event, and its file goes when Silver and the lake are done with all of it. So
/// everything before the oldest file is done for good. Nothing where there is no spool: the other checks hold without it.
///
/// # Errors
/// When the directory cannot be listed.
pub fn of_directory(dir: &Path, node: u8) -> std::io::Result<Option<Floor>> {
    let files = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        files => files?,
    };
    let mut oldest: Option<EventSeq> = None;
    for file in files {
        let name = file?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(".seg")?.parse().ok());
        if let Some(first) = first.map(EventSeq) {
            oldest = Some(oldest.map_or(first, |oldest| oldest.min(first)));
        }
    }
    Ok(oldest.map(|from| Floor { node, from }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_segment_is_the_floor() {
        let dir = tempfile::tempdir().expect("directory");
        let floor = || of_directory(dir.path(), 0).expect("listed");
        assert_eq!(floor(), None);
        for name in [
            "0000000000000000200.seg",
            "0000000000000000090.seg",
            "0000000000000000001.torn",
            "lock",
        ] {
            std::fs::write(dir.path().join(name), "").expect("written");
        }
        let from = EventSeq(90);
        assert_eq!(floor(), Some(Floor { node: 0, from }));
        assert_eq!(of_directory(&dir.path().join("none"), 0).expect("listed"), None);
    }
}
