//! Which sessions have open websockets: those of a session that ends are closed, on whichever node it ended.

use std::{collections::HashMap, sync::Arc};

use dash_db::{
    Db, DbError,
    store::{self, sessions::SessionHash},
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Sessions that one statement asks for.
const AT_ONCE: usize = 1_000;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<HashMap<SessionHash, Sockets>>>);

struct Sockets {
    open: usize,
    ended: CancellationToken,
}

/// A socket's place; given up when dropped.
pub struct Watched(Option<(Watch, SessionHash, CancellationToken)>);

impl Watch {
    /// A socket of a session; of nobody's there is nothing to watch.
    pub fn join(&self, session: Option<SessionHash>) -> Watched {
        Watched(session.map(|hash| {
            let mut all = self.0.lock();
            let sockets = all.entry(hash).or_insert_with(|| Sockets {
                open: 0,
                ended: CancellationToken::new(),
            });
            sockets.open += 1;
            (self.clone(), hash, sockets.ended.clone())
        }))
    }

    /// Closes the sockets of sessions that are not there any more.
    pub async fn check(&self, db: &Db) -> Result<(), DbError> {
        let watched: Vec<SessionHash> = self.0.lock().keys().copied().collect();
        if watched.is_empty() {
            return Ok(());
        }
        let mut connection = db.diesel().await?;
        for some in watched.chunks(AT_ONCE) {
            let living = store::sessions::living(&mut connection, some, crate::clock::now()).await?;
            for hash in some.iter().filter(|hash| !living.contains(*hash)) {
                if let Some(sockets) = self.0.lock().get(hash) {
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
        let Some((watch, hash, _)) = &self.0 else { return };
        let mut all = watch.0.lock();
        if let Some(sockets) = all.get_mut(hash) {
            sockets.open -= 1;
            if sockets.open == 0 {
                all.remove(hash);
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
        let (a, b) = (watch.join(Some([1; 32])), watch.join(Some([1; 32])));
        let nobody = watch.join(None);
        assert_eq!(watch.0.lock().len(), 1);
        drop(a);
        assert_eq!(watch.0.lock().len(), 1);
        drop((b, nobody));
        assert!(watch.0.lock().is_empty());
    }
}
