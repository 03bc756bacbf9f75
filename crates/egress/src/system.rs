//! The resolver of the system.

use std::{io, net::ToSocketAddrs};

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::guard::{Answer, Resolve};

/// Look-ups at one time, of the whole process. Each holds a thread of the blocking pool, which has 512 for everything.
const AT_ONCE: usize = 64;

static LOOK_UPS: Semaphore = Semaphore::const_new(AT_ONCE);

/// What the system is configured to ask. It is asked for a bounded number of names at one time; more wait, as long as the guard does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDns;

impl Resolve for SystemDns {
    fn resolve<'a>(&'a self, name: &'a str) -> Answer<'a> {
        let name = name.to_owned();
        let look_up = move || Ok((name, 0).to_socket_addrs()?.map(|a| a.ip()).collect());
        Box::pin(in_turn(&LOOK_UPS, look_up))
    }
}

/// The permit goes along with the work: a look-up cannot be broken off, so its thread stays taken when nobody waits for it any more.
async fn in_turn<T: Send + 'static>(
    turns: &'static Semaphore,
    look_up: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let turn = turns.acquire().await.map_err(io::Error::other)?;
    let done = spawn_blocking(move || {
        let _turn = turn;
        look_up()
    });
    done.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex, mpsc},
        time::Duration,
    };

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn look_ups_that_nobody_waits_for_count_until_they_end() {
        static TURNS: Semaphore = Semaphore::const_new(2);
        let started = Arc::new(Mutex::new(0));
        // Both go on until the other end is dropped, as with a server of names that is silent.
        let (end, ends) = mpsc::channel::<()>();
        let ends = Arc::new(Mutex::new(ends));
        for _ in 0..10 {
            let (started, ends) = (Arc::clone(&started), Arc::clone(&ends));
            let look_up = move || {
                *started.lock().expect("not poisoned") += 1;
                let _ = ends.lock().expect("not poisoned").recv();
                Ok(())
            };
            timeout(Duration::from_millis(20), in_turn(&TURNS, look_up))
                .await
                .expect_err("given up");
        }
        // A thread may take its time to begin.
        while *started.lock().expect("not poisoned") < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(TURNS.available_permits(), 0);
        drop(end);
        in_turn(&TURNS, || Ok(())).await.expect("a turn");
        assert_eq!(*started.lock().expect("not poisoned"), 2, "no more were begun");
    }

    #[tokio::test]
    async fn the_system_has_a_bound_too() {
        let all = LOOK_UPS.acquire_many(AT_ONCE as u32).await.expect("all turns");
        let waiting = timeout(Duration::from_millis(50), SystemDns.resolve("localhost"));
        waiting.await.expect_err("it waits");
        drop(all);
        SystemDns.resolve("localhost").await.expect("this machine");
    }
}
