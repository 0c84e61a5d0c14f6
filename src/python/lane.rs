//! The fast lane: bytes of a client in, bytes for it out.

use std::cell::Cell;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use super::answer::Body;
use super::multiplex::Multiplex;
use super::request;
use crate::freshness::clock;
use crate::lane;
use crate::lane::head::Reasons;
use crate::lane::{Place, Start};

thread_local! {
    /// Memory for what is to be sent, which would cost more than the rest of a hit to get each time;
    /// at most [`lane::FULL`] and one answer.
    static OUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What comes next on a connection.
#[pyclass(frozen, eq, eq_int, module = "cachy._core")]
#[derive(PartialEq, Eq)]
pub(super) enum Turn {
    /// More bytes of the client.
    More,
    /// Nothing more of the client: enough waits to be sent.
    Again,
    /// The body.
    Body,
    /// mitmproxy.
    Slow,
    /// The end of the connection.
    Close,
    /// A tunnel.
    Connect,
}

impl From<lane::Turn> for Turn {
    fn from(turn: lane::Turn) -> Self {
        match turn {
            lane::Turn::More => Self::More,
            lane::Turn::Again => Self::Again,
            lane::Turn::Body => Self::Body,
            lane::Turn::Slow => Self::Slow,
            lane::Turn::Close => Self::Close,
            lane::Turn::Connect => Self::Connect,
        }
    }
}

/// One client's connection in the fast lane.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Lane(Arc<Mutex<lane::Lane>>);

type Taken<'py> = (Turn, Bound<'py, PyBytes>, Option<Body>, Bound<'py, PyBytes>);

impl Lane {
    pub(super) fn new(place: Place, start: Start) -> Self {
        Self(Arc::new(Mutex::new(lane::Lane::new(place, start))))
    }
}

#[pymethods]
impl Lane {
    fn take<'py>(&self, py: Python<'py>, data: &[u8]) -> Taken<'py> {
        let out = OUT.take();
        let taken = py.detach(|| self.0.lock().take_into(data, clock(), out));
        let sent = PyBytes::new(py, &taken.out);
        OUT.set(taken.out);
        (
            taken.turn.into(),
            sent,
            taken.body.map(|(body, meter)| Body::counted(body, meter)),
            PyBytes::new(py, &taken.rest),
        )
    }

    #[pyo3(signature = (sni, scheme="https"))]
    fn tunnel(&self, sni: Option<String>, scheme: &str) -> PyResult<()> {
        let scheme = request::scheme(scheme)?;
        self.0.lock().tunnel(scheme, sni);
        Ok(())
    }

    fn multiplex(&self) -> Multiplex {
        Multiplex::new(Arc::clone(&self.0))
    }

    #[getter]
    fn host(&self) -> String {
        self.0.lock().origin().0.to_owned()
    }

    #[getter]
    fn port(&self) -> u16 {
        self.0.lock().origin().1
    }

    #[getter]
    fn brief(&self) -> bool {
        self.0.lock().is_brief()
    }

    #[getter]
    fn run(&self) -> Option<String> {
        self.0.lock().run().map(str::to_owned)
    }

    #[getter]
    fn pending(&self, py: Python<'_>) -> Py<PyBytes> {
        PyBytes::new(py, self.0.lock().pending()).unbind()
    }

    fn drain(&self, py: Python<'_>) -> Py<PyBytes> {
        PyBytes::new(py, &self.0.lock().drain()).unbind()
    }
}

/// What mitmproxy calls statuses: asked of itself, since its versions differ.
pub(super) fn reasons(py: Python<'_>) -> PyResult<Arc<Reasons>> {
    static KNOWN: PyOnceLock<Arc<Reasons>> = PyOnceLock::new();
    let known = KNOWN.get_or_try_init(py, || {
        let module = py.import("mitmproxy.net.http.status_codes")?;
        let responses = module.getattr("RESPONSES")?.cast_into::<PyDict>()?;
        let pairs = responses.iter().map(|(status, reason)| {
            let status: u16 = status.extract()?;
            let reason: String = reason.extract()?;
            Ok((status, reason))
        });
        let reasons: PyResult<Reasons> = pairs.collect();
        reasons.map(Arc::new)
    });
    known.cloned()
}
