//! The way from a browser to the server, which a test can cut for real: Chromium's own emulation of a lost network
//! ends with the page it was set on, so a page that is loaded again can slip through.

use crate::TestServer;
use std::net::SocketAddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A loopback port that passes on to a server while it is not cut.
#[derive(Debug)]
pub struct Network {
    address: SocketAddr,
    cut: watch::Sender<bool>,
}

impl Network {
    /// Stands before a server.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn before(server: &TestServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let to = server.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
        let (cut, is_cut) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(pass(from, to.clone(), is_cut.clone()));
            }
        });
        Self { address, cut }
    }

    /// The address to open in a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection and refuses new ones, or mends the way.
    pub fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

/// Both ways until one side ends or the way is cut.
async fn pass(mut from: TcpStream, to: String, mut is_cut: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        _ = is_cut.wait_for(|cut| *cut) => {}
        () = async {
            if let Ok(mut to) = TcpStream::connect(to).await {
                copy_bidirectional(&mut from, &mut to).await.ok();
            }
        } => {}
    }
}
