//! A certificate authority of the benchmark's own: for its origin, for nginx, for Squid.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Issues certificates for whatever name a client wants.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// One key for all leaves.
    key: KeyPair,
    leaves: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

/// What can go wrong with certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("certificate: {0}")]
    Made(#[from] rcgen::Error),
    #[error("key: {0}")]
    Key(#[from] rustls::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The keys could not be made.
    pub fn new() -> Result<Self, CertificateError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "cachy benchmark CA");
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            key: KeyPair::generate()?,
            leaves: Mutex::default(),
        })
    }

    fn params(host: &str) -> Result<CertificateParams, CertificateError> {
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, host);
        Ok(params)
    }

    /// Writes `ca.pem`, `ca-key.pem`, and `HOST.pem` with certificate and key for each host.
    ///
    /// # Errors
    /// A certificate could not be made, a file not be written.
    pub fn write(&self, folder: &Path, hosts: &[String]) -> Result<(), CertificateError> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("ca.pem"), self.issuer.pem())?;
        fs::write(folder.join("ca-key.pem"), self.issuer.key().serialize_pem())?;
        for host in hosts {
            let leaf = Self::params(host)?.signed_by(&self.key, &self.issuer)?;
            let both = leaf.pem() + &self.key.serialize_pem();
            fs::write(folder.join(format!("{host}.pem")), both)?;
        }
        Ok(())
    }

    fn leaf(&self, host: &str) -> Result<Arc<CertifiedKey>, CertificateError> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = leaves.get(host) {
            return Ok(found.clone());
        }
        let certificate = Self::params(host)?.signed_by(&self.key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let leaf = Arc::new(CertifiedKey::new(
            vec![certificate.der().clone(), self.issuer.der().clone()],
            any_ecdsa_type(&key)?,
        ));
        leaves.insert(host.to_owned(), leaf.clone());
        Ok(leaf)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.leaf(hello.server_name()?).ok()
    }
}
