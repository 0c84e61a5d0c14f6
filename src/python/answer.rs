//! What the core says, as frozen types.

use parking_lot::Mutex;
use pyo3::exceptions::{PyEOFError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::wake::Ticket;
use super::{Fields, pairs};
use crate::answer;
use crate::body;
use crate::exchange;
use crate::headers::Headers;
use crate::ledger::Meter;

/// What to wait for before deciding again.
#[pyclass(frozen, eq, eq_int, module = "cachy._core")]
#[derive(PartialEq, Eq)]
pub(super) enum Pause {
    /// Decide again with `patient=True` in a thread.
    Read,
    /// Pass the request's body on, then decide again.
    Take,
}

/// The request goes upstream.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Forward {
    headers: Option<Fields>,
    spelling: Option<(String, String)>,
    deadlines: Option<(f64, Option<f64>)>,
}

impl From<exchange::Forward> for Forward {
    fn from(forward: exchange::Forward) -> Self {
        Self {
            headers: forward.headers.map(|h| h.0),
            spelling: forward.spelling,
            deadlines: forward.deadlines,
        }
    }
}

#[pymethods]
impl Forward {
    #[getter]
    fn headers(&self, py: Python<'_>) -> Option<Vec<(Py<PyBytes>, Py<PyBytes>)>> {
        self.headers.as_ref().map(|fields| pairs(py, fields))
    }

    #[getter]
    fn spelling(&self) -> Option<(&[u8], &[u8])> {
        let spelling = self.spelling.as_ref();
        spelling.map(|(authority, path)| (authority.as_bytes(), path.as_bytes()))
    }

    #[getter]
    fn stores(&self) -> bool {
        self.headers.is_some()
    }

    #[getter]
    fn deadlines(&self) -> Option<(f64, Option<f64>)> {
        self.deadlines
    }
}

/// The answer in place of upstream's.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Answer {
    status: u16,
    reason: Option<&'static str>,
    headers: Fields,
    body: Mutex<Option<Body>>,
}

impl From<answer::Answer> for Answer {
    fn from(answer: answer::Answer) -> Self {
        Self {
            status: answer.status,
            reason: answer.reason(),
            headers: answer.headers.0,
            body: Mutex::new(Some(Body::counted(answer.body, answer.meter))),
        }
    }
}

#[pymethods]
impl Answer {
    #[getter]
    fn status(&self) -> u16 {
        self.status
    }

    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    #[getter]
    fn headers(&self, py: Python<'_>) -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
        pairs(py, &self.headers)
    }

    fn take_body(&self) -> PyResult<Body> {
        let body = self.body.lock().take();
        body.ok_or_else(|| PyValueError::new_err("the body was taken already"))
    }
}

/// The head under which upstream's body goes to the client, and its other end.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Streamed {
    headers: Fields,
    body: Py<Body>,
    hold: Option<f64>,
    instead: Option<Py<Answer>>,
}

impl Streamed {
    /// `hold`: seconds.
    pub(super) fn new(
        py: Python<'_>,
        headers: Headers,
        body: body::Body,
        hold: Option<f64>,
        instead: Option<Py<Answer>>,
    ) -> PyResult<Self> {
        Ok(Self {
            headers: headers.0,
            body: Py::new(py, Body::from(body))?,
            hold,
            instead,
        })
    }
}

#[pymethods]
impl Streamed {
    #[getter]
    fn headers(&self, py: Python<'_>) -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
        pairs(py, &self.headers)
    }

    #[getter]
    fn body(&self, py: Python<'_>) -> Py<Body> {
        self.body.clone_ref(py)
    }

    #[getter]
    fn hold(&self) -> Option<f64> {
        self.hold
    }

    #[getter]
    fn instead(&self, py: Python<'_>) -> Option<Py<Answer>> {
        self.instead.as_ref().map(|answer| answer.clone_ref(py))
    }
}

/// A body to be read piece by piece.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Body(Mutex<body::Body>, Option<Meter>);

impl Body {
    /// A body whose bytes are counted as they are read.
    pub(super) fn counted(body: body::Body, meter: Option<Meter>) -> Self {
        Self(Mutex::new(body), meter)
    }
}

impl From<body::Body> for Body {
    fn from(body: body::Body) -> Self {
        Self(Mutex::new(body), None)
    }
}

#[pymethods]
impl Body {
    #[getter]
    fn remaining(&self) -> Option<u64> {
        self.0.lock().remaining()
    }

    #[getter]
    fn growing(&self) -> bool {
        self.0.lock().is_growing()
    }

    #[getter]
    fn behind(&self) -> bool {
        self.0.lock().is_behind()
    }

    fn pass_on(&self, bytes: u64) -> bool {
        self.0.lock().pass_on(bytes)
    }

    fn read<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyAny>> {
        match py.detach(|| self.0.lock().read(most)) {
            Ok(body::Chunk::Bytes(bytes)) => {
                if let Some(meter) = &self.1 {
                    meter.read(bytes.len());
                }
                Ok(PyBytes::new(py, &bytes).into_any())
            }
            Ok(body::Chunk::Later(ticket)) => Ok(Bound::new(py, Ticket::from(ticket))?.into_any()),
            Ok(body::Chunk::End) => Ok(PyBytes::new(py, b"").into_any()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(
                PyEOFError::new_err("the body ends before its announced length"),
            ),
            Err(error) => Err(error.into()),
        }
    }
}
