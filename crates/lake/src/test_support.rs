//! An S3 server in process, on the loopback, with faults to inject: for tests here and in the server.
//!
//! It speaks the real protocol (signatures included) and keeps objects in a temporary directory. Requests for one
//! key are taken one at a time, because the backend's conditional put is not atomic by itself.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use parking_lot::Mutex;
use s3s::{Body, auth::SimpleAuth, service::S3Service, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use secrecy::SecretString;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Location, S3Options};

const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";
const BUCKET: &str = "dash-test";

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status; nothing is done.
    Status(u16),
    /// Done, then answered with this status all the same.
    DoneButStatus(u16),
    /// The connection is closed; nothing is done.
    Drop,
    /// Done, then the connection is closed without an answer.
    LostAnswer,
    /// Done at once, answered after this long.
    SlowAnswer(Duration),
}

/// A request that was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub method: Method,
    /// Bucket and key.
    pub path: String,
    /// What the backend answered; nothing when a fault kept the request from it.
    pub status: Option<StatusCode>,
    pub fault: Option<Fault>,
}

type Plan = Box<dyn FnMut(&Method, &str) -> Option<Fault> + Send>;

/// Sets the faults of a running server.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    once: VecDeque<(Method, Fault)>,
    plan: Option<Plan>,
    log: Vec<Served>,
    keys: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
}

impl Faults {
    /// The next request with this method meets this fault, after those pushed before.
    pub fn push(&self, method: Method, fault: Fault) {
        self.0.lock().once.push_back((method, fault));
    }

    /// Asked for every request that no pushed fault is for.
    pub fn plan(&self, plan: impl FnMut(&Method, &str) -> Option<Fault> + Send + 'static) {
        self.0.lock().plan = Some(Box::new(plan));
    }

    /// All is well from now on.
    pub fn clear(&self) {
        let mut state = self.0.lock();
        state.once.clear();
        state.plan = None;
    }

    /// Every request since the start.
    pub fn log(&self) -> Vec<Served> {
        self.0.lock().log.clone()
    }

    fn next(&self, method: &Method, path: &str) -> Option<Fault> {
        let mut state = self.0.lock();
        if let Some(at) = state.once.iter().position(|(m, _)| m == method) {
            return state.once.remove(at).map(|(_, fault)| fault);
        }
        state.plan.as_mut().and_then(|plan| plan(method, path))
    }

    fn key(&self, path: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.0.lock().keys.entry(path.to_owned()).or_default().clone()
    }

    fn served(&self, served: Served) {
        self.0.lock().log.push(served);
    }
}

/// Stops when it is dropped.
pub struct S3Server {
    /// `http://127.0.0.1:port`
    pub endpoint: String,
    pub bucket: String,
    pub faults: Faults,
    accepting: JoinHandle<()>,
    objects: PathBuf,
    // Goes with the server, where it made the directory itself.
    _temporary: Option<tempfile::TempDir>,
}

impl S3Server {
    /// Starts on a free port of the loopback with one empty bucket, which goes when the server is dropped.
    ///
    /// # Panics
    /// When the machine has no free port or no room: a test cannot go on then.
    pub async fn start() -> Self {
        let objects = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self::start_in(objects.path()).await;
        server._temporary = Some(objects);
        server
    }

    /// The same with its objects in `dir`, which is there and empty, and stays.
    ///
    /// # Panics
    /// As [`S3Server::start`].
    pub async fn start_in(dir: &Path) -> Self {
        std::fs::create_dir(dir.join(BUCKET)).expect("a bucket");
        let mut builder = S3ServiceBuilder::new(FileSystem::new(dir).expect("a file system"));
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let faults = Faults::default();
        let accepting = tokio::spawn(accept(listener, service, faults.clone()));
        Self {
            endpoint: format!("http://{address}"),
            bucket: BUCKET.into(),
            faults,
            accepting,
            objects: dir.to_owned(),
            _temporary: None,
        }
    }

    /// Options with this server's endpoint and keys.
    pub fn options(&self) -> S3Options {
        S3Options {
            endpoint: Some(self.endpoint.clone()),
            access_key_id: Some(ACCESS_KEY.into()),
            secret_access_key: Some(SecretString::from(SECRET_KEY)),
            ..S3Options::default()
        }
    }

    /// Takes an object away, by its key with prefix, behind the back of whoever wrote it.
    ///
    /// # Panics
    /// When it is not there.
    pub fn remove(&self, key: &str) {
        std::fs::remove_file(self.bucket_dir().join(key)).expect("an object to remove");
    }

    /// Where the bucket's objects lie, as files under their keys.
    pub fn bucket_dir(&self) -> PathBuf {
        self.objects.join(&self.bucket)
    }

    /// A lake in this server's bucket.
    pub fn location(&self, prefix: &str) -> Location {
        Location::S3 {
            bucket: self.bucket.clone(),
            prefix: prefix.into(),
        }
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service, faults: Faults) {
    while let Ok((socket, _)) = listener.accept().await {
        let (service, faults) = (service.clone(), faults.clone());
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let (service, faults) = (service.clone(), faults.clone());
                // On its own: a client that gives up does not interrupt what was begun.
                let served = tokio::spawn(serve(request, service, faults));
                async move { served.await.unwrap_or(Err(Closed)) }
            });
            // An error here is a client or a fault that closed the connection.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), answer)
                .await;
        });
    }
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed by an injected fault")]
struct Closed;

async fn serve(request: Request<Incoming>, service: S3Service, faults: Faults) -> Result<Response<Body>, Closed> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let fault = faults.next(&method, &path);
    let log = |status| {
        faults.served(Served {
            method: method.clone(),
            path: path.clone(),
            status,
            fault,
        });
    };
    match fault {
        Some(Fault::Status(status)) => {
            log(None);
            return Ok(failed(status));
        }
        Some(Fault::Drop) => {
            log(None);
            return Err(Closed);
        }
        _ => {}
    }
    let key = faults.key(&path);
    let answer = {
        let _alone = key.lock().await;
        backend(&service, request).await
    };
    log(Some(answer.status()));
    match fault {
        Some(Fault::LostAnswer) => Err(Closed),
        Some(Fault::DoneButStatus(status)) => Ok(failed(status)),
        Some(Fault::SlowAnswer(pause)) => {
            tokio::time::sleep(pause).await;
            Ok(answer)
        }
        _ => Ok(answer),
    }
}

async fn backend(service: &S3Service, request: Request<Incoming>) -> Response<Body> {
    // The backend answers NoSuchKey for a bucket that is not there; S3 and R2 tell the two apart.
    let asks = request.method() == Method::GET;
    let in_bucket = request.uri().path().trim_start_matches('/').split('/').next() == Some(BUCKET);
    match service.call(request.map(Body::from)).await {
        Ok(answer) if asks && !in_bucket && answer.status() == StatusCode::NOT_FOUND => answer.map(|_| {
            let body = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
            Body::from(body.to_owned())
        }),
        Ok(answer) => answer,
        Err(_) => failed(500),
    }
}

fn failed(status: u16) -> Response<Body> {
    let mut answer = Response::new(Body::from("<Error><Code>Injected</Code></Error>".to_owned()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}
