//! The server of the control socket: accepts, serves the routes, and ends in a bounded time.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use synapse_node::NodeHandle;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::closing::{Closer, Closing, closing};
use crate::limits::{
    ACCEPT_RETRY, CLOSE_GRACE, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_TIMEOUT, HEADERS_MAX,
};
use crate::lock::DataDirLock;
use crate::routes::router;
use crate::socket::{ControlSocket, ServeError};

/// A control socket that is being served. Dropping it cuts every connection; [`Gateway::close`]
/// ends them in order.
#[derive(Debug)]
pub struct Gateway {
    closer: Closer,
    accepting: Option<JoinHandle<()>>,
    socket: ControlSocket,
    /// Held until the socket's files are gone: fields are dropped in order.
    _lock: DataDirLock,
}

/// Serves this node on the control socket of the data directory that `lock` holds.
///
/// # Errors
/// The socket cannot be made.
pub fn serve(node: NodeHandle, lock: DataDirLock) -> Result<Gateway, ServeError> {
    let (closer, closing) = closing();
    serve_routes(router(node, closing.clone()), lock, closer, closing)
}

fn serve_routes(
    router: Router,
    lock: DataDirLock,
    closer: Closer,
    closing: Closing,
) -> Result<Gateway, ServeError> {
    let (socket, listener) = ControlSocket::bind(lock.data_dir())?;
    let server = Server {
        listener,
        router,
        closing,
    };
    let accepting = Some(tokio::spawn(server.run()));
    Ok(Gateway {
        closer,
        accepting,
        socket,
        _lock: lock,
    })
}

impl Gateway {
    /// Where the node is reached.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket.path
    }

    /// Accepts no more, tells the readers of streams, lets requests end for a few seconds, cuts
    /// those that do not, and removes the socket. Call it when the node has ended.
    pub async fn close(mut self) {
        self.closer.close();
        if let Some(accepting) = self.accepting.take()
            && let Err(error) = accepting.await
        {
            tracing::error!(%error, "the control socket's server failed");
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

struct Server {
    listener: UnixListener,
    router: Router,
    closing: Closing,
}

impl Server {
    async fn run(mut self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                () = closing.closed() => break,
                Some(ended) = connections.join_next() => report_panic(ended),
                (place, stream) = self.accept(&places) => {
                    let connection = serve_connection(stream, self.router.clone(), closing.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
            }
        }
        drop(self);
        finish(connections, CLOSE_GRACE).await;
    }

    /// The next connection of this user, and its place among the connections. Cancel-safe: a
    /// connection that was accepted is not lost, since nothing is waited for after that.
    async fn accept(&mut self, places: &Arc<Semaphore>) -> (impl Send + use<>, UnixStream) {
        loop {
            let Ok(place) = Arc::clone(places).acquire_owned().await else {
                // The semaphore is never closed; if it were, nobody could be served.
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, _address)) if is_ours(&stream) => return (place, stream),
                Ok((_stranger, _address)) => {
                    tracing::warn!("another user's connection to the control socket was refused");
                }
                Err(error) => pause_after(&error).await,
            }
        }
    }
}

/// Whether the other end is this user, or root. The socket's mode says so too; this holds where a
/// descriptor was passed on.
fn is_ours(stream: &UnixStream) -> bool {
    let user = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == user || peer.uid() == 0)
}

/// A connection that was gone before it was accepted is nothing; no descriptor left is something
/// that passes.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        tracing::error!(%error, "accept on the control socket");
        tokio::time::sleep(ACCEPT_RETRY).await;
    }
}

async fn serve_connection(stream: UnixStream, router: Router, mut closing: Closing) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.closed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that goes away in the middle is its own business.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A panic in a route costs its connection; it is a bug of ours, so it is told.
fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a request's task panicked");
    }
}

/// Waits for the connections' end, and cuts those that take longer.
async fn finish(mut connections: JoinSet<()>, grace: Duration) {
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, ended).await.is_err() {
        tracing::warn!(left = connections.len(), "cut connections that did not end");
        connections.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
