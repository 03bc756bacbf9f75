//! Whose certificate is believed, and what is not.
//!
//! A mailer believes those of the system, which are in the file that SSL_CERT_FILE names. A variable can be set for a new process only: tests
//! that need a certificate that is believed run themselves again.

use std::{env, fs, path::PathBuf, process::Command, sync::Arc};

use dash_mail::{MailError, Mailer};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

use crate::{
    mailer, message,
    server::{Server, Tls},
};

const BELIEVED: &str = "TEST_MAIL_BELIEVED";
const EHLO: (&str, &str) = ("EHLO", "250-test\r\n250-STARTTLS\r\n250 AUTH PLAIN");

/// Who makes certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = authority.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(authority, key),
            pem,
        }
    }

    /// The one that the system believes, in the second run of `test`; nothing once that went well.
    fn believed(test: &str) -> Option<Self> {
        if let Some(file) = env::var_os(BELIEVED) {
            let authority = Self::new();
            fs::write(file, &authority.pem).expect("a file");
            return Some(authority);
        }
        let directory = tempfile::tempdir().expect("a directory");
        let file: PathBuf = directory.path().join("authority.pem");
        let run = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", test])
            .env_remove("SSL_CERT_DIR")
            .envs([("SSL_CERT_FILE", &file), (BELIEVED, &file)])
            .output()
            .expect("a process");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
        None
    }

    /// A server that shows a certificate for `name`.
    fn server(&self, name: &str) -> TlsAcceptor {
        let names = CertificateParams::new([name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let certificate = names.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.expect("they belong together")))
    }
}

/// From the start, and after STARTTLS.
async fn both(acceptor: &TlsAcceptor) -> [(Server, Mailer); 2] {
    let first = Server::with(Tls::FromTheStart(acceptor.clone()), &[EHLO]).await;
    let later = Server::with(Tls::Later(acceptor.clone()), &[EHLO]).await;
    let to = |scheme: &str, server: &Server| mailer(&format!("{scheme}://ada:hunter2@127.0.0.1:{}", server.port));
    let (implicit, starttls) = (to("smtps", &first), to("smtp", &later));
    [(first, implicit), (later, starttls)]
}

async fn is_refused(acceptor: &TlsAcceptor) {
    for (server, mailer) in both(acceptor).await {
        let error = mailer.send(&message()).await.expect_err("refused");
        assert!(
            matches!(&error, MailError::Unreachable { reason, .. } if reason.contains("certificate")),
            "{error:?}"
        );
        assert!(!error.is_permanent());
        let before = ["EHLO example.org", "STARTTLS"];
        assert!(
            server.said().iter().all(|l| before.contains(&l.as_str())),
            "{:?}",
            server.said()
        );
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    is_refused(&Authority::new().server("127.0.0.1")).await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let test = "tls::a_certificate_for_another_name_is_refused";
    let Some(authority) = Authority::believed(test) else {
        return;
    };
    is_refused(&authority.server("mail.example.org")).await;
}

#[tokio::test]
async fn a_letter_goes_to_a_server_that_is_who_it_should_be() {
    let test = "tls::a_letter_goes_to_a_server_that_is_who_it_should_be";
    let Some(authority) = Authority::believed(test) else {
        return;
    };
    let [(first, implicit), (later, starttls)] = both(&authority.server("127.0.0.1")).await;
    implicit.send(&message()).await.expect("it is taken");
    starttls.send(&message()).await.expect("it is taken");
    let sign_in = ["EHLO example.org", "AUTH PLAIN AGFkYQBodW50ZXIy"];
    assert_eq!(first.said()[..2], sign_in);
    assert_eq!(later.said()[..2], ["EHLO example.org", "STARTTLS"]);
    assert_eq!(later.said()[2..4], sign_in);
}

#[tokio::test]
async fn what_was_said_in_clear_is_no_answer_in_tls() {
    let test = "tls::what_was_said_in_clear_is_no_answer_in_tls";
    let Some(authority) = Authority::believed(test) else {
        return;
    };
    let surplus = (
        "STARTTLS",
        "220 go on\r\n250-evil\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 ok",
    );
    let server = Server::with(Tls::Later(authority.server("127.0.0.1")), &[EHLO, surplus]).await;
    let mailer = mailer(&format!("smtp://ada:hunter2@127.0.0.1:{}", server.port));
    let error = mailer.send(&message()).await.expect_err("it breaks");
    assert!(matches!(error, MailError::Unreachable { .. }), "{error:?}");
    assert_eq!(server.said(), ["EHLO example.org", "STARTTLS"]);
}
