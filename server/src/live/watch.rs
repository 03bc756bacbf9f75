//! Which sessions and keys have open websockets: those of one that ends are closed, on whichever node it ended.

use std::{collections::HashMap, sync::Arc};

use dash_db::{
    Db,
    store::{self, sessions::SessionHash},
};
use dash_model::account::Scope;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{access::keys, failure::Failure};

/// Sessions that one statement asks for.
const AT_ONCE: usize = 1_000;

/// By what somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entrance {
    Session(SessionHash),
    /// The id of an API key, and what it could do then.
    Key(Uuid, Scope),
}

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<HashMap<Entrance, Sockets>>>);

struct Sockets {
    open: usize,
    ended: CancellationToken,
}

/// A socket's place; given up when dropped.
pub struct Watched(Option<(Watch, Entrance, CancellationToken)>);

impl Watch {
    /// A socket of somebody's; of nobody's there is nothing to watch.
    pub fn join(&self, entrance: Option<Entrance>) -> Watched {
        Watched(entrance.map(|entrance| {
            let mut all = self.0.lock();
            let sockets = all.entry(entrance).or_insert_with(|| Sockets {
                open: 0,
                ended: CancellationToken::new(),
            });
            sockets.open += 1;
            (self.clone(), entrance, sockets.ended.clone())
        }))
    }

    /// Closes the sockets of sessions and keys that are not there any more, and of keys that can do something else by now.
    pub async fn check(&self, db: &Db) -> Result<(), Failure> {
        let watched: Vec<Entrance> = self.0.lock().keys().copied().collect();
        if watched.is_empty() {
            return Ok(());
        }
        let mut connection = db.diesel().await?;
        let now = crate::clock::now();
        for some in watched.chunks(AT_ONCE) {
            let (mut hashes, mut keys) = (Vec::new(), Vec::new());
            for entrance in some {
                match entrance {
                    Entrance::Session(hash) => hashes.push(*hash),
                    Entrance::Key(id, _) => keys.push(*id),
                }
            }
            let sessions = store::sessions::living(&mut connection, &hashes, now).await?;
            // Seldom does a program follow.
            let scopes = match keys.is_empty() {
                true => HashMap::new(),
                false => keys::scopes(&mut connection, &keys).await?,
            };
            let lives = |entrance: &Entrance| match entrance {
                Entrance::Session(hash) => sessions.contains(hash),
                Entrance::Key(id, scope) => scopes.get(id) == Some(scope),
            };
            for entrance in some.iter().filter(|entrance| !lives(entrance)) {
                if let Some(sockets) = self.0.lock().get(entrance) {
                    sockets.ended.cancel();
                }
            }
        }
        Ok(())
    }
}

impl Watched {
    /// Until the session has ended.
    pub async fn ended(&self) {
        match &self.0 {
            Some((_, _, ended)) => ended.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some((watch, entrance, _)) = &self.0 else { return };
        let mut all = watch.0.lock();
        if let Some(sockets) = all.get_mut(entrance) {
            sockets.open -= 1;
            if sockets.open == 0 {
                all.remove(entrance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_watched_while_it_has_a_socket() {
        let watch = Watch::default();
        let (a, b) = (
            watch.join(Some(Entrance::Session([1; 32]))),
            watch.join(Some(Entrance::Session([1; 32]))),
        );
        let nobody = watch.join(None);
        assert_eq!(watch.0.lock().len(), 1);
        drop(a);
        assert_eq!(watch.0.lock().len(), 1);
        drop((b, nobody));
        assert!(watch.0.lock().is_empty());
    }
}
