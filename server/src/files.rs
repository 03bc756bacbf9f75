//! How many files the process may have open. Each viewer's socket is one, and so is each sender's.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as it may be: the usual one, 1,024, is there for programs that use select(), which is not the case here.
pub fn allow_all() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok((soft, hard))
    });
    match raised {
        Ok((before, now)) => tracing::info!(before, now, "limit of open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is; it bounds how many may look"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_nothing_is_left_to_raise() {
        // The process of a test: nobody else minds.
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(512), hard).expect("lower");
        allow_all();
        let limits = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
        assert_eq!(limits, (hard, hard));
    }
}
