//! `StoreTls`: the handshakes and connections of one store.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tempo_backend::{ByteBudget, Reservation};
use tempo_settings::Host;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use wasmtime_wasi_tls::{Error, TlsProvider, TlsTransport, WasiTlsCtx, WasiTlsCtxBuilder};

use super::Authorities;
use crate::sockets::SocketGrants;

/// Maximum time of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes reserved for a connection: the pipes and streams of `wasmtime-wasi-tls`, and the records that rustls buffers in both
/// directions.
const CONNECTION_BYTES: usize = 256 << 10;

/// Maximum length of a server name, in bytes, before its conversion to ASCII.
const MAX_NAME_BYTES: usize = 1024;

/// A connection, as `wasmtime-wasi-tls` expects it.
type DynTlsStream = Box<dyn wasmtime_wasi_tls::TlsStream>;

/// Opens the TLS connections of one store.
pub(crate) struct StoreTls {
    grants: Arc<SocketGrants>,
    authorities: Authorities,
    bytes: ByteBudget,
}

impl StoreTls {
    /// Creates the context of a new store. Its connections reserve their buffers in `bytes`.
    pub(crate) fn context(grants: Arc<SocketGrants>, authorities: Authorities, bytes: ByteBudget) -> WasiTlsCtx {
        WasiTlsCtxBuilder::new().provider(Box::new(Self { grants, authorities, bytes })).build()
    }

    /// Returns the name to verify and the buffers of the connection.
    fn admit(&self, name: &str) -> Result<(Host, ServerName<'static>, Reservation), Error> {
        let host = if name.len() > MAX_NAME_BYTES { None } else { Host::parse(name) };
        let host = host.ok_or_else(|| Error::msg("invalid server name"))?;
        let verified = match &host {
            Host::Ip(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::msg("invalid server name"))?,
        };
        if !self.grants.covers(&host) {
            self.grants.report_tls(&host);
            return Err(Error::msg("access denied: the server name is not granted"));
        }
        let buffers = self.bytes.hold(CONNECTION_BYTES).map_err(Error::msg)?;
        Ok((host, verified, buffers))
    }
}

impl TlsProvider for StoreTls {
    fn connect(
        &self,
        server_name: String,
        transport: Box<dyn TlsTransport>,
    ) -> Pin<Box<dyn Future<Output = Result<DynTlsStream, Error>> + Send>> {
        let admitted = self.admit(&server_name);
        let (authorities, grants) = (self.authorities.clone(), self.grants.clone());
        Box::pin(async move {
            let (host, name, buffers) = admitted?;
            let handshake = async { authorities.connector().await.connect(name, transport).await };
            let result = timeout(HANDSHAKE_TIMEOUT, handshake)
                .await
                .map_err(|_| Error::msg(format_args!("the TLS handshake took longer than {HANDSHAKE_TIMEOUT:?}")))?;
            let stream = result.map_err(|error| {
                let refused = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
                if let Some(rustls::Error::InvalidCertificate(reason)) = refused {
                    grants.report_certificate(&host, reason);
                }
                Error::msg(error)
            })?;
            Ok(Box::new(Connection { stream, _buffers: buffers }) as DynTlsStream)
        })
    }
}

/// An established connection, with the reservation of its buffers.
struct Connection {
    stream: TlsStream<Box<dyn TlsTransport>>,
    _buffers: Reservation,
}

impl wasmtime_wasi_tls::TlsStream for Connection {}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
