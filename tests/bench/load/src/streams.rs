//! One connection over HTTP/2, with several requests at a time on it.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use h2::client::{Builder, Connection, SendRequest};
use http::{Request, Response, header};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::content::Body;
use crate::report::{Failure, Measured};
use crate::url::Url;
use crate::walk::{Course, Shared};
use crate::wire::{PATIENCE, Route, WireError, connected, monotonic};

/// Room for what is on its way, of each stream and of all: a client that lets nobody wait for it.
const STREAM_WINDOW: u32 = 1 << 21;
const WINDOW: u32 = 1 << 25;

/// Reads in large pieces, as `wire::Socket` does.
type Socket = TlsStream<BufReader<TcpStream>>;

/// Goes through the URLs, `streams` of them at a time; `number` is the connection's.
pub fn go(shared: &Shared<'_>, number: usize, streams: usize) -> Measured {
    let measured = RefCell::default();
    let url = &shared.walk.urls[shared.offset(number)];
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let opened = runtime.map_err(WireError::from).and_then(|runtime| {
        let opened = runtime.block_on(open(shared.walk.route, url, &shared.walk.config))?;
        Ok((runtime, opened))
    });
    shared.ready.wait();
    match opened {
        Err(error) => shared.fail(&mut measured.borrow_mut(), url, &error.into()),
        Ok((runtime, (send, connection))) => {
            let course = shared.course(number, Instant::now());
            let asking: FuturesUnordered<_> = (0..streams)
                .map(|_| ask_on(shared, &course, send.clone(), &measured))
                .collect();
            runtime.block_on(beside(connection, asking.collect::<()>()));
        }
    }
    measured.into_inner()
}

/// Asks for one URL after the other.
async fn ask_on(
    shared: &Shared<'_>,
    course: &Course<'_>,
    mut send: SendRequest<Bytes>,
    measured: &RefCell<Measured>,
) {
    while let Some(url) = course.next() {
        let asked = match shared.content.body(&url.host, &url.path) {
            Some(body) => ask(&mut send, url, &body, measured).await,
            None => Err(Failure::NoBody),
        };
        if let Err(error) = asked {
            shared.fail(&mut measured.borrow_mut(), url, &error);
        }
    }
}

async fn ask(
    send: &mut SendRequest<Bytes>,
    url: &Url,
    body: &Body<'_>,
    measured: &RefCell<Measured>,
) -> Result<(), Failure> {
    let start = monotonic();
    let first = get(send, url, body).await?;
    let end = monotonic();
    measured.borrow_mut().note(start, first, end, body.length);
    Ok(())
}

/// Asks for a URL and verifies all that comes; gives when its first byte was there.
async fn get(send: &mut SendRequest<Bytes>, url: &Url, body: &Body<'_>) -> Result<u64, WireError> {
    let request = Request::get(format!("https://{}{}", url.field, url.path))
        .header(header::ACCEPT, "*/*")
        .body(())?;
    patient(std::future::poll_fn(|context| send.poll_ready(context))).await?;
    let (answer, _) = send.send_request(request, true)?;
    let answer = patient(answer).await?;
    check(&answer, body.length)?;
    let mut data = answer.into_body();
    let mut first = (body.length == 0).then(monotonic);
    let mut position = 0;
    while position < body.length || !data.is_end_stream() {
        let Some(piece) = patient(async { data.data().await.transpose() }).await? else {
            break;
        };
        if !piece.is_empty() {
            first.get_or_insert_with(monotonic);
        }
        if let Some(place) = body.differs(position, &piece) {
            return Err(WireError::Bytes(place));
        }
        position += piece.len() as u64;
        data.flow_control().release_capacity(piece.len())?;
    }
    if position < body.length {
        return Err(WireError::Cut(position));
    }
    Ok(first.unwrap_or_default())
}

/// What a head has to say.
fn check<T>(answer: &Response<T>, expected: u64) -> Result<(), WireError> {
    if answer.status() != 200 {
        let told = format!("{:?}", answer.headers());
        return Err(WireError::Status(answer.status().as_u16(), told));
    }
    let length = answer.headers().get(header::CONTENT_LENGTH);
    let told = length.and_then(|value| value.to_str().ok()?.parse().ok());
    if told == Some(expected) {
        Ok(())
    } else {
        Err(WireError::Length(told, expected))
    }
}

/// Connects, through CONNECT where there is a proxy, and does both handshakes.
async fn open(
    route: Route,
    url: &Url,
    config: &Arc<ClientConfig>,
) -> Result<(SendRequest<Bytes>, Connection<Socket>), WireError> {
    let (Route::Proxy(address) | Route::Direct(address)) = route;
    let mut tcp = patient(dial(address)).await?;
    if let Route::Proxy(_) = route {
        let authority = &url.authority;
        let line = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        tcp.write_all(line.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(patient(tcp.read_u8()).await?);
        }
        connected(&head)?;
    }
    let name =
        ServerName::try_from(url.host.clone()).map_err(|_| WireError::Name(url.host.clone()))?;
    let tls = patient(TlsConnector::from(config.clone()).connect(name, tcp)).await?;
    if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(WireError::NoHttp2);
    }
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW);
    patient(builder.handshake(tls)).await
}

async fn dial(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(BufReader::with_capacity(1 << 18, tcp))
}

/// Does the work while the connection lives; if it ends, the work hears of it by itself.
async fn beside(connection: Connection<Socket>, work: impl Future<Output = ()>) {
    let driven = pin!(async {
        let _ = connection.await;
        pending::<()>().await;
    });
    let (Either::Left(_) | Either::Right(_)) = select(driven, pin!(work)).await;
}

/// Waits for the next step, but not for ever.
async fn patient<T, E>(step: impl Future<Output = Result<T, E>>) -> Result<T, WireError>
where
    WireError: From<E>,
{
    match timeout(PATIENCE, step).await {
        Ok(done) => Ok(done?),
        Err(late) => Err(io::Error::from(late).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_the_whole_thing_is_a_failure() {
        let answer = |status: u16, length: &str| {
            let answer = Response::builder().status(status);
            answer
                .header("content-length", length)
                .body(())
                .expect("an answer")
        };
        assert!(check(&answer(200, "5"), 5).is_ok());
        assert!(matches!(
            check(&answer(200, "5"), 6),
            Err(WireError::Length(Some(5), 6))
        ));
        assert!(matches!(
            check(&answer(206, "5"), 5),
            Err(WireError::Status(206, _))
        ));
        assert!(matches!(
            check(&Response::new(()), 5),
            Err(WireError::Length(None, 5))
        ));
    }
}
