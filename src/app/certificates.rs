//! The public door's certificate: shown, and told of before it ends; and who vouches for upstreams.
//!
//! Its files are read anew with the configuration, whose files they are. A certificate that has ended is still shown: clients then say exactly what is wrong, and a door that does not open
//! says nothing.

use std::cell::LazyCell;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use rustls::{ClientConfig, ServerConfig};

use crate::config::{Listen, Upstream};
use crate::ingress::arrival;
use crate::model::Time;
use crate::tls::client::System;
use crate::tls::server::{Certificates, acceptor};

/// Told of when less than this is left.
const SOON_S: i64 = 7 * 86_400;

/// The public door's TLS.
pub struct Secured {
    pub acceptor: Arc<ServerConfig>,
    pub certificates: Arc<Certificates>,
}

/// # Errors
/// The certificate and its key cannot be used.
pub fn open(listen: &Listen) -> Result<Option<Secured>> {
    let Some(tls) = &listen.tls else {
        return Ok(None);
    };
    let certificates = Certificates::open(&tls.files).context("TLS at the public door")?;
    let certificates = Arc::new(certificates);
    Ok(Some(Secured {
        acceptor: acceptor(certificates.clone())?,
        certificates,
    }))
}

/// Who can vouch for an upstream; nothing where nobody need.
///
/// # Errors
/// There is nobody.
pub fn believed(
    upstream: &Upstream,
    system: &LazyCell<System>,
) -> Result<Option<Arc<ClientConfig>>> {
    if upstream.url.scheme_str() != Some("https") {
        return Ok(None);
    }
    let believed = system.connector(upstream.authorities.as_ref())?;
    let name = &upstream.name;
    let nobody = || {
        anyhow!(
            "upstream.{name}: this system has no list of authorities: install one (ca-certificates), or name yours with `ca`"
        )
    };
    believed.ok_or_else(nobody).map(Some)
}

/// What an operator should know of the certificate in these files; nothing while all is well.
pub fn expiry_warning(listen: &Listen) -> Option<String> {
    let files = &listen.tls.as_ref()?.files;
    let expiry = Certificates::open(files).ok()?.expiry()?;
    let file = files.certificate.display();
    told(expiry, arrival::now()).map(|what| format!("the certificate in {file} {what}"))
}

fn told(expiry: i64, now: Time) -> Option<String> {
    let left = expiry - now.seconds();
    let at = jiff::Timestamp::from_second(expiry).map_or(String::new(), |at| at.to_string());
    if left <= 0 {
        Some(format!("has expired at {at}: clients will refuse it"))
    } else if left < SOON_S {
        Some(format!("expires soon, at {at}"))
    } else {
        None
    }
}
