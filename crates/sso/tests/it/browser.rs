//! A browser as far as signing in needs one: cookies, redirects and forms.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use dash_sso::{Callback, Http, HttpError};
use http::{Request, Response};
use reqwest::{Client, Method, header, redirect::Policy};
use url::{Url, form_urlencoded};

/// As the server calls a provider, and as a browser does.
pub struct Browser {
    client: Client,
    cookies: Mutex<HashMap<String, String>>,
}

/// What somebody does with the provider's forms.
#[derive(Clone, Copy)]
pub enum Person<'a> {
    SignsIn(&'a str),
    Cancels,
}

impl Browser {
    pub fn new() -> Self {
        let client = Client::builder().redirect(Policy::none()).no_proxy().build();
        Self {
            client: client.expect("a client"),
            cookies: Mutex::default(),
        }
    }

    /// Where the browser is sent back to, which it does not call.
    pub async fn visit(&self, url: Url, person: Person<'_>, back: &str) -> Callback {
        let mut next = (Method::GET, url, String::new());
        for _ in 0..20 {
            let (method, url, form) = next;
            let response = self.send(method, url.clone(), form).await;
            if let Some(location) = response.headers().get(header::LOCATION) {
                let to = url.join(location.to_str().expect("text")).expect("an address");
                if to.as_str().starts_with(back) {
                    return callback(&to);
                }
                next = (Method::GET, to, String::new());
                continue;
            }
            let status = response.status();
            let page = response.text().await.expect("a page");
            let part = |from: &str| {
                let at = page.find(from).unwrap_or_else(|| panic!("{status} at {url}: {page}")) + from.len();
                let rest = &page[at..];
                rest[..rest.find('"').expect("an end")].replace("&amp;", "&")
            };
            let link = |to: String| url.join(&to).expect("an address");
            next = match person {
                Person::Cancels => (
                    Method::GET,
                    link(part("<div class=\"login-help\">\n        <a href=\"")),
                    String::new(),
                ),
                Person::SignsIn(login) => {
                    let prompt = part("name=\"prompt\" value=\"");
                    let fields = [("prompt", prompt.as_str()), ("login", login), ("password", "any")];
                    let form = form_urlencoded::Serializer::new(String::new())
                        .extend_pairs(fields)
                        .finish();
                    (Method::POST, link(part("action=\"")), form)
                }
            };
        }
        panic!("sent around in circles");
    }

    async fn send(&self, method: Method, url: Url, form: String) -> reqwest::Response {
        let cookies: Vec<String> = {
            let cookies = self.cookies.lock().expect("a lock");
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let response = self
            .client
            .request(method, url)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .expect("an answer");
        let mut cookies = self.cookies.lock().expect("a lock");
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let (name, value) = cookie
                .split(';')
                .next()
                .and_then(|c| c.split_once('='))
                .expect("a cookie");
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }
}

#[async_trait]
impl Http for Browser {
    async fn execute(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        let failed = |e: reqwest::Error| HttpError::new(e.without_url().to_string());
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let response = self.client.execute(request).await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = Response::new(response.bytes().await.map_err(failed)?.to_vec());
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

fn callback(url: &Url) -> Callback {
    let parameters: serde_json::Map<String, serde_json::Value> = url
        .query_pairs()
        .map(|(n, v)| (n.into_owned(), v.into_owned().into()))
        .collect();
    serde_json::from_value(parameters.into()).expect("a callback")
}
