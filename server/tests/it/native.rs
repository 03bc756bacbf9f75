//! The framework's client of server functions, with a socket of this process where a browser has its own.

use app::AppError;
use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt, future::ready};
use leptos::server_fn::{
    client::Client,
    error::{FromServerFnError, ServerFnErrorErr},
    request::browser::BrowserRequest,
    response::browser::BrowserResponse,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

pub struct Native;

impl Client<AppError> for Native {
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    async fn send(_: BrowserRequest) -> Result<BrowserResponse, AppError> {
        unreachable!("only sockets are opened here")
    }

    /// `url` is the whole address, where a browser would know the host.
    async fn open_websocket(
        url: &str,
    ) -> Result<
        (
            impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static,
            impl Sink<Bytes> + Send + 'static,
        ),
        AppError,
    > {
        let host = url.split("ws://").nth(1).and_then(|rest| rest.split('/').next());
        let host = host.unwrap_or_default();
        let stream = TcpStream::connect(host).await.map_err(|e| failed(&e))?;
        // What a browser sends by itself stands before the address here.
        let (cookie, url) = url.split_once(' ').unwrap_or(("", url));
        let mut request = url.into_client_request().map_err(|e| failed(&e))?;
        let headers = request.headers_mut();
        headers.insert("origin", header(&format!("http://{host}"))?);
        if !cookie.is_empty() {
            headers.insert("cookie", header(cookie)?);
        }
        let (socket, _) = client_async(request, stream).await.map_err(|e| failed(&e))?;
        let (sink, stream) = socket.split();
        let received = stream.filter_map(|message| {
            ready(match message {
                Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
                Ok(Message::Text(text)) => Some(Ok(text.into())),
                Ok(_) => None,
                Err(error) => Some(Err(failed(&error).ser())),
            })
        });
        let sent =
            sink.with(|bytes: Bytes| ready(Ok::<_, tokio_tungstenite::tungstenite::Error>(Message::Binary(bytes))));
        Ok((received, sent))
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(future);
    }
}

fn header(text: &str) -> Result<HeaderValue, AppError> {
    text.parse().map_err(|e| failed(&e))
}

fn failed(error: &dyn std::fmt::Display) -> AppError {
    AppError::from_server_fn_error(ServerFnErrorErr::Request(error.to_string()))
}
