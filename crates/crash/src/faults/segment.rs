//! Damage to the newest segment of the spool, while the server is dead.
//!
//! What can be promised, and is checked:
//!
//! - What a crash left behind the last whole frame is cut, said in the log, and everything acknowledged is there.
//! - A changed byte in a frame that others follow stops the start. The error names file and byte, and nothing is changed.
//! - A changed byte in the very last frame cannot be told from a write that was torn. It is cut like one, and so it must be said in
//!   the log and its bytes kept beside the segment. (A changed length makes it look like a frame whose end is not there; such a frame
//!   is cut without a copy, so the length is left alone here.)

use std::{fs, path::PathBuf};

use anyhow::{Context, bail, ensure};
use rand::{Rng, RngExt, seq::IndexedRandom};

use super::Outcome;
use crate::{
    rig::{Rig, START},
    segment::{Segment, paths},
};

const HEAD: usize = 12;

/// What a write that was cut off may leave.
#[derive(Clone, Copy, Debug)]
enum Tail {
    /// The first half of a frame.
    HalfFrame,
    /// A mark, a length, and less than that.
    ShortFrame,
    Noise,
    /// Sectors that never reached the disk.
    Zeros,
}

const TAILS: [Tail; 4] = [Tail::HalfFrame, Tail::ShortFrame, Tail::Noise, Tail::Zeros];

/// Bytes behind the last frame, of each kind in turn (of one in the short run).
pub async fn torn_tail(rig: &mut Rig) -> anyhow::Result<Outcome> {
    let tails: Vec<Tail> = match rig.short {
        true => TAILS.choose(&mut rig.rng).copied().into_iter().collect(),
        false => TAILS.to_vec(),
    };
    for tail in &tails {
        rig.under_load(500..1_500).await?;
        let segment = killed_with_frames(rig, 1).await?;
        let mut bytes = segment.bytes[..segment.end()].to_vec();
        bytes.extend(torn(*tail, &segment, &mut rig.rng));
        fs::write(&segment.path, &bytes)?;
        rig.start()?;
        rig.first_ack().await?;
        let words = rig.running()?.words();
        let offset = format!("offset={}", segment.end());
        ensure!(
            words.contains("cut a torn tail") && words.contains(&offset),
            "a torn tail ({tail:?}) at byte {} of {} was not said in the log",
            segment.end(),
            segment.path.display()
        );
    }
    let times = rig.recovered().await?;
    let tails: Vec<String> = tails.iter().map(|tail| format!("{tail:?}")).collect();
    Ok(Outcome {
        times: Some(times),
        note: tails.join(", "),
    })
}

fn torn(tail: Tail, segment: &Segment, rng: &mut impl Rng) -> Vec<u8> {
    let mut noise = |n: usize| {
        let mut bytes = vec![0; n];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    match tail {
        Tail::HalfFrame => {
            let last = segment.frames.last().cloned().unwrap_or_default();
            segment.bytes[last.start..last.start + last.len() / 2].to_vec()
        }
        Tail::ShortFrame => [segment.mark(), &5_000_u32.to_le_bytes(), &noise(700)].concat(),
        Tail::Noise => noise(3_000),
        Tail::Zeros => vec![0; 4_096],
    }
}

/// A byte in the middle, then one in the last frame; after each the segment is put back as it was.
pub async fn flipped_byte(rig: &mut Rig) -> anyhow::Result<Outcome> {
    rig.under_load(500..1_500).await?;
    let segment = killed_with_frames(rig, 3).await?;
    let in_the_middle = refused_start(rig, &segment).await?;
    let at_the_end = kept_aside(rig, &segment).await?;
    rig.start()?;
    let times = rig.recovered().await?;
    Ok(Outcome {
        times: Some(times),
        note: format!(
            "byte {in_the_middle} of {}: the start was refused; byte {at_the_end} in its last frame: cut, told and kept",
            segment.bytes.len()
        ),
    })
}

/// Kills the server when its newest segment has enough frames.
async fn killed_with_frames(rig: &mut Rig, frames: usize) -> anyhow::Result<Segment> {
    for _ in 0..10 {
        rig.kill().await?;
        let segment = Segment::newest(&rig.spool)?;
        if segment.frames.len() >= frames {
            return Ok(segment);
        }
        // A new one was begun a moment ago.
        rig.start()?;
        rig.first_ack().await?;
        rig.under_load(300..900).await?;
    }
    bail!(
        "ten kills left no segment with {frames} frames in {}",
        rig.spool.display()
    )
}

async fn refused_start(rig: &mut Rig, segment: &Segment) -> anyhow::Result<usize> {
    let (_, but_the_last) = segment.frames.split_last().context("no frame")?;
    let frame = but_the_last.choose(&mut rig.rng).context("one frame alone")?;
    let at = rig.rng.random_range(frame.clone());
    fs::write(&segment.path, flipped(segment, at, &mut rig.rng))?;
    let before = contents(rig)?;
    let mut server = rig.program.start_aside(&rig.spool)?;
    let status = server.ended(START).await.context("it started with a damaged segment")?;
    let words = server.words();
    let name = segment
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    ensure!(!status.success(), "it ended well with a damaged segment");
    ensure!(
        words.contains(&name) && words.contains(&format!("at byte {}", frame.start)),
        "byte {at} of {name} was changed, in the frame at byte {}, and the error says: {}",
        frame.start,
        crate::server::last_lines(&words)
    );
    ensure!(
        contents(rig)? == before,
        "it changed the spool, although it refused to start"
    );
    fs::write(&segment.path, &segment.bytes)?;
    Ok(at)
}

async fn kept_aside(rig: &mut Rig, segment: &Segment) -> anyhow::Result<usize> {
    let last = segment.frames.last().cloned().context("no frame")?;
    let length = last.start + 4..last.start + 8;
    let at = loop {
        let at = rig.rng.random_range(last.clone());
        if !length.contains(&at) {
            break at;
        }
    };
    debug_assert!(last.len() > HEAD);
    let damaged = flipped(segment, at, &mut rig.rng);
    fs::write(&segment.path, &damaged)?;
    // Nobody sends to it: what it is given now would get the sequences of the frame that is put back below.
    let mut server = rig.program.start_aside(&rig.spool)?;
    server.ready(START).await?;
    let words = server.words();
    server.kill().await?;
    let kept = segment.path.with_extension(format!("{}.torn", last.start));
    ensure!(
        words.contains("cut a torn tail") && words.contains(&format!("offset={}", last.start)),
        "byte {at} of the last frame was changed, and nothing was said of it"
    );
    let copy = fs::read(&kept).with_context(|| format!("what was cut should be kept in {}", kept.display()))?;
    ensure!(copy == damaged[last.start..], "{} is not what was cut", kept.display());

    // As it was: the segment, none behind it, and no copy.
    for path in paths(&rig.spool)?.into_iter().filter(|path| *path > segment.path) {
        fs::remove_file(path)?;
    }
    fs::remove_file(kept)?;
    fs::write(&segment.path, &segment.bytes)?;
    Ok(at)
}

fn flipped(segment: &Segment, at: usize, rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = segment.bytes.clone();
    bytes[at] ^= 1 << rng.random_range(0..8);
    bytes
}

/// Every file of the spool, byte for byte.
fn contents(rig: &Rig) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(&rig.spool)? {
        let path = entry?.path();
        files.push((path.clone(), fs::read(&path)?));
    }
    files.sort();
    Ok(files)
}
