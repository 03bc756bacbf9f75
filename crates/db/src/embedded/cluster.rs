//! Makes the database directory, and starts the server on it.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::{Duration, Instant},
};

use super::{
    Durability, EmbeddedError, NAME, Options,
    account::Account,
    binaries::Binaries,
    io_error,
    place::{Lock, Place, set_mode},
    process::Process,
};

/// Recovery after a crash takes as long as the log that was written since the last checkpoint.
const START_PATIENCE: Duration = Duration::from_secs(600);

/// Made beside its place and moved there when it is whole, so that a crash leaves no half of a database.
pub(super) fn initialise(
    place: &Place,
    binaries: &Binaries,
    account: &Account,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    let new = place.home().join("data.new");
    match fs::remove_dir_all(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io_error("cannot remove", &new)(e)),
        _ => {}
    }
    fs::create_dir(&new).map_err(io_error("cannot make", &new))?;
    set_mode(&new, 0o700)?;
    account.own(&new).map_err(io_error("cannot give away", &new))?;
    let program = binaries.program("initdb");
    let mut command = account.command(&program);
    command.arg("-D").arg(&new).args([
        "-U",
        NAME,
        "-E",
        "UTF8",
        "--no-locale",
        "--auth=reject",
        "--data-checksums",
    ]);
    if durability == Durability::ProcessOnly {
        command.arg("--no-sync");
    }
    let out = command.output().map_err(io_error("cannot run", &program))?;
    if !out.status.success() {
        return Err(EmbeddedError::Failed {
            what: format!("{} could not make a database", program.display()),
            words: last_lines(&String::from_utf8_lossy(&out.stderr)),
        });
    }
    fs::rename(&new, place.data()).map_err(io_error("cannot put in place", &new))?;
    place.link_data()?;
    tracing::info!(data = %place.data().display(), version = binaries.major, "a private PostgreSQL was made");
    Ok(())
}

/// Starts the server and waits until it takes connections. `lock` is held until it has ended.
pub(super) fn start(
    place: &Place,
    binaries: &Binaries,
    account: &Account,
    options: &Options,
    lock: Lock,
) -> Result<Process, EmbeddedError> {
    let (hba, ident) = write_access(place, account)?;
    let log = place.open_log()?;
    let log_start = log.metadata().map_or(0, |m| m.len());
    let program = binaries.program("postgres");
    let mut command = account.command(&program);
    command.arg("-D").arg(place.data());
    let mut set = |name: &str, value: &str| {
        command.arg("-c").arg(format!("{name}={value}"));
    };
    set("listen_addresses", "");
    set("port", "5432");
    set("unix_socket_directories", &place.run().display().to_string());
    set("unix_socket_permissions", "0700");
    set("hba_file", &hba);
    set("ident_file", &ident);
    set("max_connections", &options.max_connections.to_string());
    for (name, value) in SETTINGS {
        set(name, value);
    }
    if options.durability == Durability::ProcessOnly {
        // Commits still reach the kernel before they are answered.
        set("fsync", "off");
        set("full_page_writes", "off");
    }
    if binaries.has_timescaledb() {
        set("shared_preload_libraries", "timescaledb");
        set("timescaledb.telemetry_level", "off");
        set("timescaledb.max_background_workers", "8");
        set("max_worker_processes", "20");
    }
    let stderr = log.try_clone().map_err(io_error("cannot write to", place.log()))?;
    command.stdout(log).stderr(stderr);
    let process = Process::spawn(command, lock).map_err(io_error("cannot start", &program))?;

    let begun = Instant::now();
    let mut told = Duration::from_secs(5);
    while !is_ready(place.data(), process.pid()) {
        let exited = process.wait(Duration::from_millis(10));
        if exited.is_some() || begun.elapsed() > START_PATIENCE {
            let words = last_lines(&read_from(place.log(), log_start));
            let what = match exited {
                Some(status) => format!("the private PostgreSQL did not start ({status})"),
                None => "the private PostgreSQL did not become ready in ten minutes".into(),
            };
            return Err(EmbeddedError::Failed { what, words });
        }
        if begun.elapsed() > told {
            told += Duration::from_secs(5);
            tracing::info!(log = %place.log().display(), "waiting for PostgreSQL, which may be recovering");
        }
    }
    Ok(process)
}

/// For a machine that is shared with Dash itself; the rest are PostgreSQL's defaults.
const SETTINGS: &[(&str, &str)] = &[
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("shared_buffers", "256MB"),
    ("work_mem", "16MB"),
    ("maintenance_work_mem", "128MB"),
    ("max_wal_size", "2GB"),
    ("wal_compression", "on"),
    // One node: no replica reads the log.
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("random_page_cost", "1.1"),
    // Compiling costs more than the short queries of a dashboard take.
    ("jit", "off"),
    ("log_line_prefix", "%m [%p] %d "),
    ("log_checkpoints", "off"),
    // Slow ones, without the values they were asked with.
    ("log_min_duration_statement", "1s"),
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
];

/// Only who runs Dash, and PostgreSQL's own user, may connect, as the one role; the kernel tells who it is. The files lie outside the data directory, where PostgreSQL's
/// user cannot turn them into links for root to write through.
fn write_access(place: &Place, account: &Account) -> Result<(String, String), EmbeddedError> {
    let write = |name: &str, text: String| {
        let path = place.home().join(name);
        fs::write(&path, text).map_err(io_error("cannot write", &path))?;
        set_mode(&path, 0o644)?;
        Ok(path.display().to_string())
    };
    let hba = write("pg_hba.conf", "local all all peer map=dash\n".into())?;
    let ident = format!("dash \"{}\" {NAME}\ndash \"{}\" {NAME}\n", account.client, account.name);
    Ok((hba, write("pg_ident.conf", ident)?))
}

/// What `pg_ctl -w` goes by: the eighth line of `postmaster.pid`, below the pid of the server that wrote it.
fn is_ready(data: &Path, pid: i32) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn read_from(log: &Path, start: u64) -> String {
    let read = || {
        let mut file = fs::File::open(log)?;
        file.seek(SeekFrom::Start(start))?;
        let mut text = Vec::new();
        file.take(1 << 20).read_to_end(&mut text)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
    };
    read().unwrap_or_default()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" | ")
}
