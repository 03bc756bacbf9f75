//! What is broken, and how. Each fault is a function that runs with the senders at work and ends with the senders held and the backlog
//! drained; what it itself expects is an error when it does not happen.

mod database;
mod disk;
mod kill;
mod lake;
mod segment;

use rand::{Rng, seq::SliceRandom};

use crate::{report::Times, rig::Rig};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Kill,
    CrashInCopy,
    FrozenPostgres,
    LakeOutage,
    LostPut,
    FullDisk,
    TornTail,
    FlippedByte,
}

/// What came of it.
pub struct Outcome {
    /// Nothing when it was skipped.
    pub times: Option<Times>,
    pub note: String,
}

/// All but kills, each of which comes once.
const OTHERS: [Fault; 7] = [
    Fault::CrashInCopy,
    Fault::FrozenPostgres,
    Fault::LakeOutage,
    Fault::LostPut,
    Fault::FullDisk,
    Fault::TornTail,
    Fault::FlippedByte,
];

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::CrashInCopy => "crash in COPY",
            Self::FrozenPostgres => "frozen PostgreSQL",
            Self::LakeOutage => "lake outage",
            Self::LostPut => "lost PUT answer",
            Self::FullDisk => "full spool disk",
            Self::TornTail => "torn tail",
            Self::FlippedByte => "flipped byte",
        }
    }

    /// # Errors
    /// What did not happen as it should, or could not be done.
    pub async fn run(self, rig: &mut Rig) -> anyhow::Result<Outcome> {
        match self {
            Self::Kill => kill::kill(rig).await,
            Self::CrashInCopy => database::crash_in_copy(rig).await,
            Self::FrozenPostgres => database::freeze(rig).await,
            Self::LakeOutage => lake::outage(rig).await,
            Self::LostPut => lake::lost_put(rig).await,
            Self::FullDisk => disk::full(rig).await,
            Self::TornTail => segment::torn_tail(rig).await,
            Self::FlippedByte => segment::flipped_byte(rig).await,
        }
    }
}

/// So many kills and one of each other fault, in an order that follows from the seed.
pub fn schedule(kills: usize, rng: &mut impl Rng) -> Vec<Fault> {
    let mut faults = vec![Fault::Kill; kills];
    faults.extend(OTHERS);
    faults.shuffle(rng);
    faults
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn a_seed_gives_the_same_schedule_again_and_another_seed_another() {
        let of = |seed| schedule(20, &mut StdRng::seed_from_u64(seed));
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert_eq!(of(7).len(), 27);
    }
}
