//! TLS of the main listener: certificate and key from files, read again when these change.
//!
//! TLS 1.2 and 1.3 only, and no resumption: no secret outlives its connection. What a client then speaks is the door's
//! business.

use std::{
    fs::File,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::{Mutex, RwLock};
use rustls::{
    RootCertStore, ServerConfig,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem, pem::PemObject},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::transport::Transport;

/// How often the files are looked at. A change counts when it looks the same twice: certificate and key are two files,
/// and nobody can replace both at once.
const POLL: Duration = Duration::from_secs(1);

/// When files that could not be used are tried again although they look the same: a link's target or the system's want of
/// descriptors is not seen by looking.
const RETRY: Duration = Duration::from_secs(60);

/// What a key file's group may not do (write), and others may not do at all. That a group may read it is how several
/// distributions give keys to servers.
const FORBIDDEN_MODE: u32 = 0o027;

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key}: {path}: {source}", path = path.display())]
    Read {
        /// The setting that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than the owner and its group can read the key, or more than the owner can write it.
    #[error("tls.key: {path}: mode is {mode:03o}, open to others than its owner (its group may read it): 600 is enough", path = path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold what it should. What it holds instead is not told: it may be the key.
    #[error("{key}: {path}: holds no {wanted} in PEM", path = path.display())]
    Content {
        /// The setting that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is looked for.
        wanted: &'static str,
    },
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("tls.cert, tls.key: {cert} and {key}: {source}", cert = cert.display(), key = key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the TLS library says.
        source: rustls::Error,
    },
    /// The settings of the TLS library contradict each other.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// TLS as a listener needs it.
pub struct Tls {
    config: Arc<ServerConfig>,
    pair: Arc<Pair>,
}

impl Tls {
    /// Reads certificate (its chain behind it) and key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`] names the setting and the file.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let pair = Arc::new(Pair::load(Files { cert: cert.to_owned(), key: key.to_owned() }, Arc::clone(&provider))?);
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Pair>::clone(&pair);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = ALPN.iter().map(|protocol| protocol.to_vec()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), pair })
    }

    /// Reads these files now, and whenever they change from now on. Whether the certificate is another by it; connections that
    /// are open stay as they are.
    ///
    /// # Errors
    /// [`TlsError`] names the setting and the file; then what was used stays in use.
    pub fn read_from(&self, cert: &Path, key: &Path) -> Result<bool, TlsError> {
        self.pair.read_from(Files { cert: cert.to_owned(), key: key.to_owned() })
    }

    /// Does the handshake of a client. Without a deadline of its own: the door's counts.
    ///
    /// # Errors
    /// The client speaks no TLS, too old a version, or has gone.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<Transport> {
        // On the heap, so that plain clients need no room for a handshake while they come in.
        let stream = Box::pin(TlsAcceptor::from(Arc::clone(&self.config)).accept(socket)).await?;
        Ok(Transport::Tls(Box::new(stream)))
    }

    /// Reads the files again whenever they change, for ever. Connections that are open stay as they are.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut timer = tokio::time::interval(POLL);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut tried, mut seen, mut retry) = (self.pair.stamp(), None, None::<Instant>);
        loop {
            timer.tick().await;
            let stamp = self.pair.stamp();
            let again = retry.is_some_and(|at| Instant::now() >= at);
            if again || (stamp != tried && seen == Some(stamp)) {
                tried = stamp;
                retry = (!self.pair.reload()).then(|| Instant::now() + RETRY);
            }
            seen = Some(stamp);
        }
    }
}

/// What is offered to clients that ask, the better one first.
#[cfg(feature = "http2")]
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];
/// What is offered to clients that ask.
#[cfg(not(feature = "http2"))]
const ALPN: &[&[u8]] = &[b"http/1.1"];

/// What tells one state of the two files from another.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// The files, and what was in them when they last could be used.
#[derive(Debug)]
struct Pair {
    /// Held while they are read: what was read last is what is used.
    files: Mutex<Files>,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn load(files: Files, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let current = RwLock::new(read(&files, &provider)?);
        Ok(Self { files: Mutex::new(files), provider, current })
    }

    /// Whether the files could be used.
    fn reload(&self) -> bool {
        let files = self.files.lock();
        match read(&files, &self.provider) {
            Ok(pair) => {
                tracing::info!(cert = %files.cert.display(), "the certificate was read again");
                *self.current.write() = pair;
                true
            }
            Err(error) => {
                tracing::error!("the certificate was not read again, the old one stays in use: {error}");
                false
            }
        }
    }

    /// Whether these files hold another certificate than is used; they are the ones from now on.
    fn read_from(&self, others: Files) -> Result<bool, TlsError> {
        let mut files = self.files.lock();
        let pair = read(&others, &self.provider)?;
        *files = others;
        let mut current = self.current.write();
        let is_other = current.cert != pair.cert;
        *current = pair;
        Ok(is_other)
    }

    fn stamp(&self) -> Stamp {
        let files = self.files.lock();
        [&files.cert, &files.key].map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
    }
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

fn read(Files { cert, key }: &Files, provider: &Arc<CryptoProvider>) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unreadable("tls.cert", cert, "certificate", error))?;
    let Some(first) = chain.first() else { return Err(unreadable("tls.cert", cert, "certificate", pem::Error::NoItemsFound)) };
    if let Some(complaint) = out_of_date(first, UnixTime::now(), provider) {
        tracing::warn!(cert = %cert.display(), "{complaint}");
    }
    let secret = read_key(key)?;
    let pair = CertifiedKey::from_der(chain, secret, provider);
    pair.map(Arc::new).map_err(|source| TlsError::Pair { cert: cert.clone(), key: key.clone(), source })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let in_file = |source| unreadable("tls.key", path, "private key", pem::Error::Io(source));
    let mut file = File::open(path).map_err(in_file)?;
    // The mode of the opened file, not of the path: the path could be exchanged in between.
    let mode = file.metadata().map_err(in_file)?.permissions().mode() & 0o777;
    if mode & FORBIDDEN_MODE != 0 {
        return Err(TlsError::OpenToOthers { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_reader(&mut file).map_err(|error| unreadable("tls.key", path, "private key", error))
}

fn unreadable(key: &'static str, path: &Path, wanted: &'static str, error: pem::Error) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => TlsError::Read { key, path, source },
        _ => TlsError::Content { key, path, wanted },
    }
}

/// Why clients will refuse the certificate because of its dates. They are what a verifier that trusts this very certificate
/// looks at first; whatever else it would say is the clients' business.
fn out_of_date(certificate: &CertificateDer<'static>, now: UnixTime, provider: &Arc<CryptoProvider>) -> Option<&'static str> {
    use rustls::CertificateError as Is;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    match verifier.verify_server_cert(certificate, &[], &name, &[], now) {
        Err(rustls::Error::InvalidCertificate(Is::Expired | Is::ExpiredContext { .. })) => Some("the certificate has expired"),
        Err(rustls::Error::InvalidCertificate(Is::NotValidYet | Is::NotValidYetContext { .. })) => Some("the certificate is not valid yet"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_certificate_out_of_its_dates_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=x"]);
        let output = openssl.arg("-out").arg(&cert).arg("-keyout").arg(key).output().expect("install Debian's package openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let certificate = CertificateDer::from_pem_file(cert).expect("a certificate");
        let now = UnixTime::now().as_secs();
        let at = |seconds| {
            out_of_date(&certificate, UnixTime::since_unix_epoch(Duration::from_secs(seconds)), &Arc::new(ring::default_provider()))
        };
        assert_eq!(at(now), None);
        assert_eq!(at(now + 3 * 86_400), Some("the certificate has expired"));
        assert_eq!(at(now - 86_400), Some("the certificate is not valid yet"));
    }
}
