//! Certificates for tests: an authority, what it signs, and clients that believe it.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
    SupportedProtocolVersion,
};

static MADE: AtomicUsize = AtomicUsize::new(0);

pub struct Authority {
    pub certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub struct Pair {
    pub certificate: Certificate,
    pub key: KeyPair,
}

pub type Secure = StreamOwned<ClientConnection, TcpStream>;

impl Authority {
    pub fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        // Two of one name would be taken for the same.
        let name = format!("authority {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Authority {
            certificate,
            issuer,
        }
    }

    pub fn sign(&self, name: &str) -> Pair {
        self.sign_until(name, 2100)
    }

    /// The key's signatures are all of one length, so that a handshake is too.
    pub fn sign_until(&self, name: &str, year: i32) -> Pair {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair { certificate, key }
    }

    /// A client's side, which believes this authority alone.
    pub fn believed(&self, alpn: &[&str]) -> ClientConfig {
        self.believed_over(&[&TLS12, &TLS13], alpn)
    }

    pub fn believed_over(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.certificate.pem()).unwrap();
    }
}

impl Pair {
    /// Writes `NAME.pem` and `NAME.key`, each in one step.
    pub fn write(&self, folder: &Path, name: &str) {
        let put = |file: String, text: String| {
            let new = folder.join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, folder.join(file)).unwrap();
        };
        put(format!("{name}.key"), self.key.serialize_pem());
        put(format!("{name}.pem"), self.certificate.pem());
    }

    /// A server's side that shows this certificate.
    pub fn shown(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from_pem_slice(self.key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key);
        Arc::new(config.unwrap())
    }
}

/// Opens a connection; the handshake takes place with the first bytes.
pub fn connect(to: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Secure {
    let stream = TcpStream::connect(to).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream.set_write_timeout(patience).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(config.clone(), name).unwrap();
    StreamOwned::new(session, stream)
}
