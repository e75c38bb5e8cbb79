//! The end of the gateway, as its tasks see it. Knows nothing of what they do.

use tokio::sync::watch;

/// Ends the gateway; so does dropping it.
#[derive(Debug)]
pub(crate) struct Closer(watch::Sender<bool>);

impl Closer {
    pub(crate) fn close(&self) {
        self.0.send_replace(true);
    }
}

/// Sees the end of the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Waits for the end. Cancel-safe.
    pub(crate) async fn closed(&mut self) {
        // An error says that the closer is gone, which is the end as well.
        drop(self.0.wait_for(|closing| *closing).await);
    }
}

pub(crate) fn closing() -> (Closer, Closing) {
    let (sender, receiver) = watch::channel(false);
    (Closer(sender), Closing(receiver))
}
