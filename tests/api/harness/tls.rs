//! Certificates made for one test, and what a test speaks to the server through: a socket, TLS on it, or another program.

use std::{
    fs::{self, Permissions},
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::PATIENCE;

/// A certificate for `localhost` and 127.0.0.1 and its key, signed by itself.
pub(crate) struct Certificate {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes one in that folder, under that common name, in place of any that is there.
    pub(crate) fn make(folder: &Path, name: &str) -> Self {
        let made = Self { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        // Made beside and moved into place, as tools that renew certificates do: nobody sees half a file.
        let (cert, key) = (folder.join("new-cert.pem"), folder.join("new-key.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
        openssl.args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]).arg("-out").arg(&cert).arg("-keyout").arg(&key);
        let output = openssl.output().expect("install Debian's package openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("our own file");
        fs::rename(key, &made.key).expect("our own folder");
        fs::rename(cert, &made.cert).expect("our own folder");
        made
    }

    /// A client that trusts this certificate, as it is now, and nothing else.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.cert).expect("a certificate")).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// What a test reads and writes.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// What a client program prints.
    #[cfg(feature = "http2")]
    Program(std::os::unix::net::UnixStream, std::process::Child),
}

impl Wire {
    /// TLS on a connected socket; the handshake happens with the first bytes.
    pub(crate) fn tls(socket: TcpStream, config: Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        Self::Tls(Box::new(StreamOwned::new(ClientConnection::new(config, name).expect("a TLS client"), socket)))
    }

    #[cfg(feature = "http2")]
    /// Starts a program and reads what it prints; it is killed with the stream.
    pub(crate) fn program(command: &mut Command) -> Self {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("two sockets");
        let child = command.stdout(std::os::fd::OwnedFd::from(theirs)).spawn().expect("the program starts");
        Self::Program(ours, child)
    }

    pub(crate) fn set_read_timeout(&self, timeout: Duration) {
        match self {
            Self::Plain(socket) => socket.set_read_timeout(Some(timeout)),
            Self::Tls(stream) => stream.sock.set_read_timeout(Some(timeout)),
            #[cfg(feature = "http2")]
            Self::Program(stream, _) => stream.set_read_timeout(Some(timeout)),
        }
        .expect("a socket option");
    }
}

impl From<TcpStream> for Wire {
    fn from(socket: TcpStream) -> Self {
        socket.set_write_timeout(Some(PATIENCE)).expect("a TCP option");
        Self::Plain(socket)
    }
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
            #[cfg(feature = "http2")]
            Self::Program(stream, _) => stream.read(bytes),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            #[cfg(feature = "http2")]
            Self::Program(..) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
            #[cfg(feature = "http2")]
            Self::Program(..) => Ok(()),
        }
    }
}

#[cfg(feature = "http2")]
impl Drop for Wire {
    fn drop(&mut self) {
        if let Self::Program(_, child) = self {
            // It may have ended already.
            let _already_ended = child.kill();
            let _reaped = child.wait();
        }
    }
}
