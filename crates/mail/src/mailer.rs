//! To the mail server.

use std::{fmt, net::SocketAddr, time::Duration};

use dash_egress::{Guard, Host};
use lettre::{
    Address,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Mechanism,
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use secrecy::SecretString;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::{
    Message,
    clear::Clear,
    error::{MailError, Step},
    server::{Security, Server, host_without_brackets},
    words::line,
};

/// For each address of the server.
const CONNECT: Duration = Duration::from_secs(10);
/// For all that comes before a letter.
const BEFORE: Duration = Duration::from_secs(60);
/// For a letter and the answer to it ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.6)). Servers that look for spam while one
/// waits take their time, and whoever leaves early has the letter sent twice.
const LETTER: Duration = Duration::from_secs(600);
/// For taking leave of a server that has the letter.
const LEAVE: Duration = Duration::from_secs(1);
/// Characters.
const SUBJECT: usize = 250;

/// Hands letters to one mail server, each on a connection of its own: letters are rare, and a connection that waits for the next one is
/// closed by most servers.
pub struct Mailer {
    server: Server,
    from: Mailbox,
    /// What we call ourselves, and what is behind the @ of the names of letters.
    domain: String,
    guard: Option<Guard>,
    within: Duration,
    patience: Duration,
}

impl Mailer {
    /// `url` is that of `DASH_SMTP_URL`, `from` that of `DASH_MAIL_FROM`:
    ///
    /// - `smtps://user:password@host:465`: TLS from the start;
    /// - `smtp://user:password@host:587`: STARTTLS, and nothing is sent to a server that does not offer it;
    /// - `smtp://127.0.0.1:1025?tls=none`: without TLS, to this machine only.
    ///
    /// The operator's own server may be in the inner network, and needs no `guard`; one that a user names does.
    ///
    /// # Errors
    /// [`MailError::Url`], [`MailError::From`].
    pub fn smtp(url: &SecretString, from: &str, guard: Option<Guard>) -> Result<Self, MailError> {
        let server = Server::of_url(url)?;
        let wrong = || MailError::From {
            reason: "it is not an address; write it as Dash <dash@example.org>".to_owned(),
        };
        let from = from.trim();
        if from.contains(char::is_control) {
            return Err(wrong());
        }
        let mut from: Mailbox = from.parse().map_err(|_| wrong())?;
        from.email = with_ascii_domain(from.email);
        let domain = from.email.domain().to_owned();
        Ok(Self {
            server,
            from,
            domain,
            guard,
            within: BEFORE,
            patience: LETTER,
        })
    }

    /// How long everything may take that comes before a letter, together; a minute by default.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// How long the server may take for a letter, until it says that it has it; ten minutes by default.
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// When this returns without error the server has taken the letter; that it arrives nobody knows.
    ///
    /// # Errors
    /// [`MailError`]
    pub async fn send(&self, message: &Message) -> Result<(), MailError> {
        let to = recipient(&message.to)?;
        let letter = self.write(message, &to)?;
        let server = self.server.to_string();
        let late = || MailError::Timeout { server: server.clone() };
        let ready = timeout(self.within, Box::pin(self.announce(to, letter.is_ascii()))).await;
        let mut connection = ready.map_err(|_| late())??;
        let taken = timeout(self.patience, connection.message(&letter)).await;
        let taken = taken.map_err(|_| late())?;
        taken.map_err(|e| MailError::of_smtp(Step::Content, &server, &e))?;
        // An error here would have the letter sent a second time.
        let _ = timeout(LEAVE, connection.quit()).await;
        Ok(())
    }

    fn write(&self, message: &Message, to: &Address) -> Result<Vec<u8>, MailError> {
        let letter = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(line(&message.subject, SUBJECT))
            .date_now()
            .message_id(Some(format!("<{}@{}>", message.id.simple(), self.domain)))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(
                message.text.clone(),
                message.html.clone(),
            ))
            .map_err(|e| MailError::Letter { reason: e.to_string() })?;
        Ok(letter.formatted())
    }

    /// To where only the letter is missing.
    async fn announce(&self, to: Address, ascii: bool) -> Result<AsyncSmtpConnection, MailError> {
        let server = self.server.to_string();
        let failed = |step| {
            let server = server.clone();
            move |e| MailError::of_smtp(step, &server, &e)
        };
        let mut connection = self.connect().await?;
        if let Some(credentials) = self.server.credentials() {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let signed_in = connection.auth(&mechanisms, &credentials).await;
            signed_in.map_err(failed(Step::SignIn))?;
        }
        let from = self.from.email.clone();
        let mut parameters = Vec::new();
        let beyond_ascii = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
        if beyond_ascii(&from) || beyond_ascii(&to) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let reply = "it does not know letters beyond ASCII in addresses (SMTPUTF8)".to_owned();
                return Err(match beyond_ascii(&from) {
                    true => MailError::Sender { server, reply },
                    false => MailError::Refused { server, reply },
                });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // Bodies are encoded; a header of an address beyond ASCII is not.
        if !ascii {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let mail = connection.command(Mail::new(Some(from), parameters)).await;
        mail.map_err(failed(Step::Sender))?;
        let rcpt = connection.command(Rcpt::new(to, Vec::new())).await;
        rcpt.map_err(failed(Step::Recipient))?;
        connection.command(Data).await.map_err(failed(Step::Content))?;
        Ok(connection)
    }

    /// To where only the letter and the one who sends it are missing.
    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let server = self.server.to_string();
        let failed = |e| MailError::of_smtp(Step::Connect, &server, &e);
        let name = ClientId::Domain(self.domain.clone());
        let addresses = self.addresses().await?;
        let wrapper = match &self.server.security {
            Security::StartTls(tls) => {
                let stream = Box::new(Clear::new(self.stream(&addresses).await?));
                let connection = AsyncSmtpConnection::connect_with_transport(stream, &name).await;
                let mut connection = connection.map_err(failed)?;
                if !connection.can_starttls() {
                    connection.abort().await;
                    return Err(MailError::NoTls { server });
                }
                connection.starttls(tls.clone(), &name).await.map_err(failed)?;
                return Ok(connection);
            }
            Security::Tls(tls) => Some(tls.clone()),
            Security::None => None,
        };
        let connection = AsyncSmtpConnection::connect_tokio1(&addresses[..], Some(CONNECT), &name, wrapper, None);
        connection.await.map_err(failed)
    }

    async fn stream(&self, addresses: &[SocketAddr]) -> Result<TcpStream, MailError> {
        let mut reason = "its name has no address".to_owned();
        for address in addresses {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => reason = error.to_string(),
                Err(_) => "connection timed out".clone_into(&mut reason),
            }
        }
        let server = self.server.to_string();
        Err(MailError::Unreachable { server, reason })
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, MailError> {
        let (host, port) = (host_without_brackets(&self.server.host), self.server.port);
        if let Some(guard) = &self.guard {
            return Ok(guard.resolve(&host, port).await?);
        }
        let found = lookup_host((host, port)).await;
        found.map(Iterator::collect).map_err(|e| MailError::Unreachable {
            server: self.server.to_string(),
            reason: e.to_string(),
        })
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer")
            .field("server", &self.server.to_string())
            .field("from", &self.from.to_string())
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

fn recipient(text: &str) -> Result<Address, MailError> {
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(MailError::Recipient);
    }
    let address = text.parse().map_err(|_| MailError::Recipient)?;
    Ok(with_ascii_domain(address))
}

/// A domain in other letters is known to every server in this form.
fn with_ascii_domain(address: Address) -> Address {
    match address.domain().parse() {
        Ok(Host::Name(domain)) => Address::new(address.user(), domain).unwrap_or(address),
        _ => address,
    }
}

/// So that programs that answer letters leave these alone ([RFC 3834](https://www.rfc-editor.org/rfc/rfc3834#section-5)).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailer(url: &str, from: &str) -> Result<Mailer, MailError> {
        Mailer::smtp(&url.into(), from, None)
    }

    #[test]
    fn the_sender_is_an_address() {
        let url = "smtp://127.0.0.1?tls=none";
        for (from, domain) in [
            ("Dash <dash@example.org>", "example.org"),
            (" dash@example.org ", "example.org"),
            ("\"Dash, Inc.\" <dash@bücher.example>", "xn--bcher-kva.example"),
        ] {
            assert_eq!(mailer(url, from).expect(from).domain, domain);
        }
        for from in [
            "",
            "Dash",
            "dash@",
            "Dash <dash>",
            "a@example.org, b@example.org",
            "Dash\r\nBcc: x <a@example.org>",
        ] {
            let error = mailer(url, from).expect_err(from).to_string();
            assert!(
                error.starts_with("DASH_MAIL_FROM") && error.contains("Dash <dash@example.org>"),
                "{error}"
            );
        }
    }

    #[test]
    fn recipients_are_one_address_and_nothing_more() {
        let domain = |text: &str| recipient(text).map(|a| a.to_string());
        assert_eq!(domain("ada@example.org"), Ok("ada@example.org".to_owned()));
        assert_eq!(domain("ada@Bücher.example"), Ok("ada@xn--bcher-kva.example".to_owned()));
        for text in [
            "",
            "ada",
            "Ada <ada@example.org>",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org>\r\nRCPT TO:<eve@example.org",
            "ada@example.org,eve@example.org",
            "\"a\r\nb\"@example.org",
        ] {
            assert_eq!(domain(text), Err(MailError::Recipient), "{text:?}");
        }
        assert!(MailError::Recipient.is_permanent());
    }

    #[test]
    fn a_mailer_does_not_print_its_password() {
        let mailer = mailer("smtps://ada:hunter2@mail.example.org", "dash@example.org").expect("a mailer");
        let text = format!("{mailer:?}");
        assert!(
            text.contains("mail.example.org:465") && !text.contains("hunter2") && !text.contains("ada"),
            "{text}"
        );
    }
}
