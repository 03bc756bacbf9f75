//! Who asks: of every request to a page or a server function a [`Caller`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use app::{
    form::Notice,
    here::Here,
    model::people::{Me, Person, Seat},
};
use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State as Shared},
    http::{HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use dash_db::store::{
    self,
    users::{Belongs, User},
};
use dash_ingest::{Problem, ProblemKind};
use tokio::time::timeout;
use tower_sessions::Session;

use super::{cookies, live, problem::ProblemResponse, reader};
use crate::{
    access::{
        caller::{Caller, seat_of, viewer_of},
        network,
        session::{SIGNED_IN, SignedIn, hash_of},
    },
    failure::Failure,
    state::State,
};

/// Between two times that a session is said to be seen, in microseconds.
const SEEN_EVERY: i64 = 300 * 1_000_000;
/// Most that a server function is asked, in bytes.
const MOST: usize = 2 << 20;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a notice is said, in microseconds.
const NOTICE_AGE: i64 = 60 * 1_000_000;

/// Finds out who asks, and sets the cookies that came of it.
pub async fn identify(Shared(state): Shared<State>, mut request: Request, next: Next) -> Response {
    // Files are everybody's.
    if is_file(request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, mut body) = request.into_parts();
    if parts.method == Method::POST && parts.uri.path().starts_with("/api/") {
        body = match whole(body).await {
            Ok(body) => body,
            Err(problem) => return problem.into_response(),
        };
    }
    let caller = match caller(&state, &mut parts).await {
        Ok(caller) => Arc::new(caller),
        Err(failure) => return ProblemResponse::from(failure).into_response(),
    };
    parts.extensions.insert(Arc::clone(&caller));
    request = Request::from_parts(parts, body);
    let mut response = next.run(request).await;
    if caller.here.notice.is_some() {
        caller.cookies.lock().push(cookies::clear_notice());
    }
    for cookie in caller.cookies.lock().drain(..) {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// What a server function is asked is read before it is known who asks: a request that is held open does not keep the rights of its beginning.
async fn whole(body: Body) -> Result<Body, ProblemResponse> {
    let read = timeout(PATIENCE, to_bytes(body, MOST)).await;
    let (kind, detail) = match read {
        Ok(Ok(bytes)) => return Ok(Body::from(bytes)),
        Ok(Err(_)) => (
            ProblemKind::BodyTooLarge,
            format!("more than {MOST} bytes are not taken here"),
        ),
        Err(_) => (
            ProblemKind::InvalidRequest,
            format!(
                "the request did not come within {} seconds; send it again",
                PATIENCE.as_secs()
            ),
        ),
    };
    Err(ProblemResponse(Problem::new(kind, detail)))
}

fn is_file(path: &str) -> bool {
    path.starts_with("/pkg/") || path.starts_with("/demo/") || path == "/favicon.svg"
}

/// The address of whoever sent a request.
pub fn address(state: &State, parts: &Parts) -> Option<std::net::IpAddr> {
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    network::client(peer, &parts.headers, &state.config.accounts.proxies)
}

async fn caller(state: &State, parts: &mut Parts) -> Result<Caller, Failure> {
    let mut caller = Caller::nobody(address(state, parts), &parts.headers);
    caller.session = parts.extensions.get::<Session>().cloned();
    caller.known = cookies::known_device(&state.vault, &parts.headers);
    let mut belongs = Vec::new();
    if let Some((signed_in, user)) = signed_in(state, &caller).await? {
        let mut connection = state.db.diesel().await?;
        belongs = store::users::organizations(&mut connection, user.id, crate::clock::now()).await?;
        caller.viewer = viewer_of(&mut connection, &signed_in, &belongs).await?;
        caller.since = Some(signed_in.since);
        caller.hash = caller.session.as_ref().and_then(Session::id).map(|id| hash_of(&id));
        seen(&caller, signed_in).await?;
        caller.user = Some(user);
    }
    // Programs have no session: at the live channel they come with a key.
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    if parts.uri.path() == live::PATH && authorization.is_some() {
        (caller.viewer, caller.key) = reader::of(state, &parts.headers).await?;
    }
    let accept = parts.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    // What a page shows around itself is of no use to anything but a page.
    if parts.method == Method::GET && accept.is_some_and(|a| a.contains("text/html")) {
        let notice = cookies::notice(&state.vault, &parts.headers);
        caller.here = Here {
            me: Me {
                person: person(state, &caller, &belongs),
                ways: state.accounts.ways(&state.db).await?,
            },
            notice: notice.filter(is_fresh),
        };
    }
    Ok(caller)
}

fn is_fresh(notice: &Notice) -> bool {
    crate::clock::now().0 - notice.at < NOTICE_AGE
}

/// Who signed in with the session of this request, if it has one.
async fn signed_in(state: &State, caller: &Caller) -> Result<Option<(SignedIn, User)>, Failure> {
    let session = match &caller.session {
        Some(session) if session.id().is_some() => session,
        _ => return Ok(None),
    };
    let Some(signed_in) = session.get::<SignedIn>(SIGNED_IN).await? else {
        return Ok(None);
    };
    let user = store::users::get(&mut *state.db.diesel().await?, signed_in.user).await?;
    Ok(user.map(|user| (signed_in, user)))
}

async fn seen(caller: &Caller, mut signed_in: SignedIn) -> Result<(), Failure> {
    let now = crate::clock::now();
    if now.0 - signed_in.seen.0 < SEEN_EVERY {
        return Ok(());
    }
    signed_in.seen = now;
    signed_in.address = caller.address.map(|ip| ip.to_string());
    caller.session()?.insert(SIGNED_IN, signed_in).await?;
    Ok(())
}

fn person(state: &State, caller: &Caller, belongs: &[Belongs]) -> Option<Person> {
    let user = caller.user.as_ref()?;
    let seat = |b: &Belongs| Seat {
        id: b.organization,
        slug: b.slug.clone(),
        name: b.name.clone(),
        role: b.role,
        delete_at: b.delete_at,
        warnings: Vec::new(),
    };
    let here = seat_of(belongs, Some(caller.viewer.organization)).map(|b| Seat {
        warnings: state.quotas.warnings(b.organization),
        ..seat(b)
    });
    Some(Person {
        id: user.id,
        name: user.name.clone(),
        email: user.email.clone(),
        organization: here,
        organizations: belongs.iter().map(seat).collect(),
    })
}
