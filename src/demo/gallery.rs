//! Where a channel's provider keeps what contacts send, until somebody fetches it: the photo of the demo.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A file that a contact sends.
#[derive(Clone, Debug)]
pub struct Photo {
    /// As on their phone.
    pub name: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// The picture.
    pub content: Bytes,
}

/// The front door of number 12.
const DOOR: Photo = Photo {
    name: "door.png",
    content_type: "image/png",
    content: Bytes::from_static(include_bytes!("door.png")),
};

/// A web server with the photo. It is gone when dropped.
pub struct Gallery {
    /// Its address, which the worker has to be allowed: it is neither https nor public.
    pub origin: String,
    _server: AbortOnDropHandle<io::Result<()>>,
}

impl Gallery {
    /// Opens it, on a free port of this machine.
    pub async fn open() -> io::Result<Self> {
        let photo = || async { ([(CONTENT_TYPE, DOOR.content_type)], DOOR.content) };
        let routes = Router::new().route(&path(&DOOR), get(photo));
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(axum::serve(listener, routes).into_future());
        Ok(Self {
            origin,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// The photo, and where it can be fetched.
    pub fn photo(&self) -> (Photo, String) {
        (DOOR, format!("{}{}", self.origin, path(&DOOR)))
    }
}

fn path(photo: &Photo) -> String {
    format!("/{}", photo.name)
}
