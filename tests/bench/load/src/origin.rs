//! The origin: HTTPS, any host, any path whose first segment is a length.
//!
//! A second segment `after-50` makes it wait 50 ms before it answers. A plain HTTP port of its own tells what it
//! was asked: `GET /` for the counts, `POST /` to begin anew.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde::Serialize;

use crate::content::Content;
use crate::wire::monotonic;

/// What it answers, and what it was asked.
#[derive(Debug)]
pub struct Origin {
    content: Content,
    config: Arc<ServerConfig>,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    connections: u64,
    paths: HashMap<String, u64>,
    first_at_ns: u64,
}

#[derive(Debug, Serialize)]
struct Counts {
    connections: u64,
    requests: u64,
    urls: usize,
    /// When the first byte of the last body was sent, in nanoseconds of `CLOCK_MONOTONIC`.
    first_at_ns: u64,
}

struct Asking {
    host: String,
    path: String,
    head: bool,
    close: bool,
}

impl Origin {
    /// An origin that was asked nothing yet.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self {
            content: Content::new(),
            config,
            asked: Mutex::default(),
        }
    }

    /// Answers whoever connects, each in a thread of its own, for ever.
    pub fn serve(&'static self, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // Clients come and go as they like.
                let _ = self.converse(stream);
            });
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn converse(&self, tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        self.asked().connections += 1;
        let connection = ServerConnection::new(self.config.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, tcp);
        let mut buffer = Vec::with_capacity(4096);
        while let Some(asking) = request(&mut stream, &mut buffer)? {
            self.answer(&mut stream, &asking)?;
            if asking.close {
                break;
            }
        }
        stream.conn.send_close_notify();
        stream.flush()
    }

    fn answer(&self, stream: &mut impl Write, asking: &Asking) -> io::Result<()> {
        let url = format!("{}{}", asking.host, asking.path);
        *self.asked().paths.entry(url).or_default() += 1;
        if let Some(delay) = delay(&asking.path) {
            thread::sleep(delay);
        }
        let Some(body) = self.content.body(&asking.host, &asking.path) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        };
        let mut data = format!(
            "HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Type: application/octet-stream\r\n\
             Cache-Control: max-age=86400\r\nContent-Length: {}\r\n\r\n",
            httpdate::fmt_http_date(SystemTime::now()),
            body.length
        )
        .into_bytes();
        let mut position = 0;
        if !asking.head {
            // Head and the beginning of the body in one record, as servers do.
            while position < body.length && data.len() < 16_000 {
                let piece = body.piece(position);
                let piece = &piece[..piece.len().min(16_000 - data.len())];
                data.extend_from_slice(piece);
                position += piece.len() as u64;
            }
        }
        self.asked().first_at_ns = monotonic();
        stream.write_all(&data)?;
        while !asking.head && position < body.length {
            let piece = body.piece(position);
            stream.write_all(piece)?;
            position += piece.len() as u64;
        }
        stream.flush()
    }

    /// Tells whoever connects what was asked, for ever.
    pub fn tell(&self, listener: &TcpListener) {
        for mut stream in listener.incoming().flatten() {
            let _ = self.tell_one(&mut stream);
        }
    }

    fn tell_one(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut start = [0; 4];
        stream.read_exact(&mut start)?;
        let counts = {
            let mut asked = self.asked();
            if &start == b"POST" {
                *asked = Asked::default();
            }
            Counts {
                connections: asked.connections,
                requests: asked.paths.values().sum(),
                urls: asked.paths.len(),
                first_at_ns: asked.first_at_ns,
            }
        };
        // What is left of the request, lest closing resets the connection.
        let _ = stream.read(&mut [0; 4096])?;
        let text = serde_json::to_string(&counts)?;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{text}",
            text.len()
        )
    }
}

/// How long the path says to wait.
fn delay(path: &str) -> Option<Duration> {
    let text = path.split('/').nth(2)?.strip_prefix("after-")?;
    text.parse().ok().map(Duration::from_millis)
}

/// The next request; `buffer` keeps what came after it. None where the client has left.
fn request(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Asking>> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        let parsed = request.parse(buffer).map_err(io::Error::other)?;
        if let httparse::Status::Complete(length) = parsed {
            let value = |name: &str| {
                let found = request
                    .headers
                    .iter()
                    .find(|field| field.name.eq_ignore_ascii_case(name));
                found.map(|field| String::from_utf8_lossy(field.value).into_owned())
            };
            let authority = value("host").unwrap_or_default();
            let asking = Asking {
                host: authority.split(':').next().unwrap_or_default().to_owned(),
                path: request.path.unwrap_or_default().to_owned(),
                head: request.method == Some("HEAD"),
                close: value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
            };
            buffer.drain(..length);
            return Ok(Some(asking));
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&piece[..count]),
        }
    }
}
