//! How the connection of an exchange comes about: a kept one, or a new one.

use super::Kept;
use super::wire::Wire;
use crate::model::{Failure, HttpVersion, Phase};
use crate::probe::progress::Progress;
use crate::probe::socket::SocketOptions;
use crate::probe::tls::Tls;
use std::net::SocketAddr;
use std::time::Duration;

/// How a connection is made.
#[derive(Clone, Copy, Debug)]
pub(in crate::probe) struct Opening<'a> {
    pub(in crate::probe) tls: Option<&'a Tls>,
    /// The version that is wanted. Over TLS, HTTP/1.1 gives way to what the server chose of a longer offer.
    pub(in crate::probe) version: HttpVersion,
}

/// A connection on which nothing was said yet.
pub(in crate::probe) struct Opened {
    pub(super) wire: Wire,
    /// The version that is spoken on it.
    pub(super) version: HttpVersion,
    certificate_expires: Option<Duration>,
}

/// A protocol on a connection, in which one exchange follows the other.
pub(in crate::probe) trait Session: Sized + Send {
    fn begin_on(opened: Opened, progress: &Progress) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// A new exchange begins, whose answer may take `limit` bytes with all that frames it.
    fn begin(&mut self, limit: usize);

    /// Whether a kept connection can take another request, as far as can be seen from here.
    fn is_usable(&mut self, progress: &Progress) -> impl Future<Output = bool> + Send;

    /// The exchange is over, and the next one may be long in coming; whether there can be one.
    fn rest(&mut self) -> bool;
}

/// A connection, and what is known of it.
#[derive(Debug)]
pub(in crate::probe) struct Connection<S> {
    pub(in crate::probe) session: S,
    /// Unix time at which the server's certificate expires.
    pub(in crate::probe) certificate_expires: Option<Duration>,
    exchanges: u32,
}

impl<S: Session> Connection<S> {
    /// Whether it was kept from an earlier probe.
    pub(in crate::probe) const fn is_kept(&self) -> bool {
        self.exchanges > 0
    }

    /// Requests that were sent on it.
    pub(super) const fn exchanges(&self) -> u32 {
        self.exchanges
    }

    /// A new exchange begins; see [`Session::begin`].
    pub(in crate::probe) fn begin(&mut self, limit: usize) {
        self.session.begin(limit);
        self.exchanges += 1;
    }
}

impl Opening<'_> {
    /// The connection to `target` that was kept, where it is of use, else a new one. A kept one that breaks all the same was
    /// closed meanwhile, as servers do: that is no failure, and the next one is new.
    pub(in crate::probe) async fn kept_or_new<S: Session>(
        self,
        kept: Option<&Kept<S>>,
        socket: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Connection<S>, Failure> {
        if let Some(mut connection) = kept.and_then(|kept| kept.take(target))
            && connection.session.is_usable(progress).await
        {
            return Ok(connection);
        }
        let opened = self.open(socket, target, progress).await?;
        let certificate_expires = opened.certificate_expires;
        Ok(Connection { session: S::begin_on(opened, progress).await?, certificate_expires, exchanges: 0 })
    }

    /// A new connection to `target`.
    async fn open(
        self,
        socket: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Opened, Failure> {
        let stream = socket.connect(target).await?;
        let Some(tls) = self.tls else {
            return Ok(Opened {
                wire: Wire::Plain(stream),
                version: self.version,
                certificate_expires: None,
            });
        };
        progress.enter(Phase::TlsHandshake);
        // What a handshake remembers is large; most connections have none.
        let session = Box::pin(tls.connect(stream, target)).await?;
        let version = match (self.version, session.get_ref().1.alpn_protocol()) {
            (_, Some(b"h2")) => HttpVersion::Http2,
            (HttpVersion::Http1, _) => HttpVersion::Http1,
            (HttpVersion::Http2, _) => {
                return Err(Failure::Tls("the server does not choose HTTP/2 (ALPN h2)".to_owned()));
            }
        };
        let certificate_expires = crate::probe::tls::expiry(&session);
        Ok(Opened { wire: Wire::Tls(Box::new(session)), version, certificate_expires })
    }
}
