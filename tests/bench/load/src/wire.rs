//! One connection to a URL's host, through a proxy or direct, and the answers that come by it.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::content::Body;
use crate::url::Url;

/// Without a single byte for that long, a proxy is said to hang.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What was wrong with an answer, or why there is none.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    #[error("not HTTP: {0}")]
    Http(#[from] httparse::Error),
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    #[error("the server does not choose HTTP/2")]
    NoHttp2,
    #[error("no such request: {0}")]
    Request(#[from] http::Error),
    #[error("no certificate has such a name: {0}")]
    Name(String),
    #[error("the status is {0}: {1}")]
    Status(u16, String),
    #[error("the length is {0:?}, not {1}")]
    Length(Option<u64>, u64),
    #[error("wrong bytes at {0}")]
    Bytes(u64),
    #[error("the connection ended after {0} bytes of the body")]
    Cut(u64),
}

/// Where connections lead.
#[derive(Debug, Clone, Copy)]
pub enum Route {
    /// To a proxy that takes CONNECT.
    Proxy(SocketAddr),
    /// To the server itself, whatever the URL says.
    Direct(SocketAddr),
}

/// When the first byte of an answer's body was there, and whether the connection goes on.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// In nanoseconds of the machine's monotonic clock; the first of the head where there is no body.
    pub first: u64,
    pub close: bool,
}

/// The machine's monotonic clock, the same in all processes, in nanoseconds.
pub fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Both are positive.
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Reads in large pieces, where rustls by itself would ask the system for 4 KB at a time.
struct Socket(BufReader<TcpStream>);

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(data)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A keep-alive connection with TLS, HTTP/1.1.
pub struct Connection {
    stream: StreamOwned<ClientConnection, Socket>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects, through CONNECT where there is a proxy, and does the handshake.
    ///
    /// # Errors
    /// It is refused, hangs, or shows a certificate that `config` doesn't trust.
    pub fn open(route: Route, url: &Url, config: &Arc<ClientConfig>) -> Result<Self, WireError> {
        let (Route::Proxy(address) | Route::Direct(address)) = route;
        let tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        let mut socket = Socket(BufReader::with_capacity(1 << 18, tcp));
        if let Route::Proxy(_) = route {
            let authority = &url.authority;
            socket.write_all(
                format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n").as_bytes(),
            )?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte)?;
                head.extend_from_slice(&byte);
            }
            connected(&head)?;
        }
        let name = ServerName::try_from(url.host.clone())
            .map_err(|_| WireError::Name(url.host.clone()))?;
        let mut stream = StreamOwned::new(ClientConnection::new(config.clone(), name)?, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self {
            stream,
            buffer: vec![0; 1 << 17],
        })
    }

    /// Asks for a URL and verifies all that comes.
    ///
    /// # Errors
    /// The answer is not a whole 200 with that body.
    pub fn get(&mut self, url: &Url, body: &Body<'_>) -> Result<Answered, WireError> {
        self.stream.write_all(url.request.as_bytes())?;
        self.stream.flush()?;
        let mut filled = 0;
        let (head, close) = loop {
            let count = self.stream.read(&mut self.buffer[filled..])?;
            if count == 0 {
                return Err(WireError::Cut(0));
            }
            filled += count;
            if let Some(found) = head(&self.buffer[..filled], body.length)? {
                break found;
            }
        };
        let mut first = (filled > head || body.length == 0).then(monotonic);
        let mut position = 0;
        let mut data = head..filled;
        loop {
            if let Some(place) = body.differs(position, &self.buffer[data.clone()]) {
                return Err(WireError::Bytes(place));
            }
            position += data.len() as u64;
            if position == body.length {
                return Ok(Answered {
                    first: first.unwrap_or_default(),
                    close,
                });
            }
            let count = self.stream.read(&mut self.buffer)?;
            if count == 0 {
                return Err(WireError::Cut(position));
            }
            first.get_or_insert_with(monotonic);
            data = 0..count;
        }
    }
}

/// Reads the answer to CONNECT.
pub fn connected(head: &[u8]) -> Result<(), WireError> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut fields);
    answer.parse(head)?;
    match answer.code {
        Some(200) => Ok(()),
        other => Err(WireError::Status(
            other.unwrap_or(0),
            "to CONNECT".to_owned(),
        )),
    }
}

/// The length of a head, and whether the connection ends after its body; None as long as it isn't whole.
fn head(data: &[u8], expected: u64) -> Result<Option<(usize, bool)>, WireError> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = answer.parse(data)? else {
        return Ok(None);
    };
    let status = answer.code.unwrap_or(0);
    if status != 200 {
        let told = String::from_utf8_lossy(&data[..data.len().min(length + 300)]).into_owned();
        return Err(WireError::Status(status, told));
    }
    let value = |name: &str| {
        let found = answer
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name));
        found.and_then(|field| str::from_utf8(field.value).ok())
    };
    let told = value("content-length").and_then(|text| text.parse().ok());
    if told != Some(expected) {
        return Err(WireError::Length(told, expected));
    }
    let close = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some((length, close)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_the_whole_thing_is_a_failure() {
        let answer = |status: &str, length: u64| {
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n").into_bytes()
        };
        let good = answer("200 OK", 5);
        assert!(matches!(head(&good, 5), Ok(Some((length, false))) if length == good.len()));
        assert!(matches!(head(&good[..20], 5), Ok(None)));
        assert!(matches!(head(&good, 6), Err(WireError::Length(Some(5), 6))));
        assert!(matches!(
            head(&answer("502 Bad Gateway", 5), 5),
            Err(WireError::Status(502, _))
        ));
        assert!(matches!(
            head(&answer("206 Partial Content", 5), 5),
            Err(WireError::Status(206, _))
        ));
        let open = b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n";
        assert!(matches!(head(open, 5), Err(WireError::Length(None, 5))));
    }
}
