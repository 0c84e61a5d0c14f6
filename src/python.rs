//! The Python module `cachy._core`: types in and out, errors, and no decision.
//!
//! Everything that may wait (a lock, the disk) does so with the interpreter released, also because
//! the log takes it back.

// Python hands over what it gives: owned values, and results that may fail in other cases.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::{PyEOFError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat};

use crate::answer;
use crate::body;
use crate::error::Error;
use crate::exchange::{self, Look, Reply, Settings, Step};
use crate::freshness::clock;
use crate::headers::Headers;
use crate::key::Scheme;
use crate::options;
use crate::request;
use crate::store::Store;
use crate::way::Way;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match &error {
            Error::Io { path, source, .. } => PyOSError::new_err((
                source.raw_os_error(),
                error.to_string(),
                path.display().to_string(),
            )),
            _ => PyValueError::new_err(error.to_string()),
        }
    }
}

/// An open cache folder with its options.
#[pyclass(frozen, module = "cachy._core")]
struct Cache {
    store: Arc<Store>,
    settings: Settings,
}

#[pymethods]
impl Cache {
    #[new]
    #[pyo3(signature = (directory, *, mode, freshness, private))]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        mode: &str,
        freshness: &str,
        private: bool,
    ) -> PyResult<Self> {
        let settings = Settings {
            mode: mode.parse().map_err(PyValueError::new_err)?,
            policy: freshness.parse().map_err(PyValueError::new_err)?,
            private,
        };
        let store = Arc::new(py.detach(|| Store::open(&directory))?);
        Ok(Self { store, settings })
    }

    #[getter]
    fn offline(&self) -> bool {
        self.settings.mode == options::Mode::Offline
    }

    fn exchange(&self, request: PyRef<'_, Request>) -> Exchange {
        let store = Arc::clone(&self.store);
        let inner = exchange::Exchange::new(store, self.settings, request.0.clone());
        Exchange(Mutex::new(inner))
    }
}

/// A request as it came in.
#[pyclass(frozen, module = "cachy._core")]
struct Request(request::Request);

#[pymethods]
impl Request {
    #[new]
    #[pyo3(signature = (*, method, scheme, host, port, path, headers, authority=None, sni=None, mode="regular", own=false, special=false, multiplexed=false, old=false))]
    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
    fn new(
        method: String,
        scheme: &str,
        host: String,
        port: u16,
        path: Vec<u8>,
        headers: Fields,
        authority: Option<Vec<u8>>,
        sni: Option<String>,
        mode: &str,
        own: bool,
        special: bool,
        multiplexed: bool,
        old: bool,
    ) -> PyResult<Self> {
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(PyValueError::new_err(format!("scheme {scheme:?}"))),
        };
        Ok(Self(request::Request {
            method,
            scheme,
            host,
            port,
            path,
            headers: Headers(headers),
            authority,
            sni,
            way: Way::of(mode, own),
            special,
            multiplexed,
            old,
        }))
    }

    #[getter]
    fn scheme(&self) -> &'static str {
        self.0.scheme.as_str()
    }

    #[getter]
    fn host(&self) -> &str {
        &self.0.host
    }

    #[getter]
    fn port(&self) -> u16 {
        self.0.port
    }

    #[getter]
    fn path(&self, py: Python<'_>) -> Py<PyBytes> {
        PyBytes::new(py, &self.0.path).unbind()
    }

    #[getter]
    fn headers(&self, py: Python<'_>) -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
        pairs(py, &self.0.headers.0)
    }
}

/// One request and its response.
#[pyclass(frozen, module = "cachy._core")]
struct Exchange(Mutex<exchange::Exchange>);

#[pymethods]
impl Exchange {
    #[pyo3(signature = (*, patient=false))]
    fn decide(&self, py: Python<'_>, patient: bool) -> PyResult<Py<PyAny>> {
        match py.detach(|| self.0.lock().decide(patient, clock())) {
            Step::Answer(answer) => Ok(Py::new(py, Answer::from(answer))?.into_any()),
            Step::Forward(forward) => {
                let forward = Forward {
                    headers: forward.headers.map(|h| h.0),
                    deadlines: forward.deadlines,
                };
                Ok(Py::new(py, forward)?.into_any())
            }
            Step::Read => Ok(Py::new(py, Pause::Read)?.into_any()),
            Step::Wait => Ok(Py::new(py, Pause::Wait)?.into_any()),
        }
    }

    fn response(&self, py: Python<'_>, status: u16, headers: Fields) -> PyResult<Py<PyAny>> {
        let headers = Headers(headers);
        match py.detach(|| self.0.lock().response(status, &headers, clock())) {
            Reply::Answer(answer) => Ok(Py::new(py, Answer::from(answer))?.into_any()),
            Reply::Body {
                headers,
                body,
                hold,
            } => {
                let streamed = Streamed {
                    headers: headers.0,
                    body: Py::new(py, Body::from(body))?,
                    hold,
                };
                Ok(Py::new(py, streamed)?.into_any())
            }
            Reply::Wait => Ok(Py::new(py, Pause::Wait)?.into_any()),
        }
    }

    #[getter]
    fn flows(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().flows())
    }

    fn look(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match py.detach(|| self.0.lock().look(clock())) {
            Look::Send => Ok(py.None()),
            Look::Wait(seconds) => Ok(PyFloat::new(py, seconds).into_any().unbind()),
            Look::Answer(answer) => Ok(Py::new(py, Answer::from(*answer))?.into_any()),
        }
    }

    fn give_back(&self, py: Python<'_>, reason: &str) -> Option<Answer> {
        let answer = py.detach(|| self.0.lock().give_back(reason, clock()));
        answer.map(Answer::from)
    }

    #[getter]
    fn number(&self, py: Python<'_>) -> Option<u64> {
        py.detach(|| self.0.lock().number())
    }

    #[getter]
    fn host(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.lock().request().host.clone())
    }

    #[getter]
    fn leading(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().is_leading())
    }

    #[getter]
    fn wanted(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().is_wanted(clock()))
    }

    fn work(&self, py: Python<'_>) -> Option<Self> {
        let work = py.detach(|| self.0.lock().work());
        work.map(|inner| Self(Mutex::new(inner)))
    }

    #[getter]
    fn request(&self, py: Python<'_>) -> Request {
        Request(py.detach(|| self.0.lock().request().clone()))
    }

    fn failed(&self, py: Python<'_>, reason: &str) -> Answer {
        py.detach(|| self.0.lock().failed(reason, clock())).into()
    }

    fn write(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        Ok(py.detach(|| self.0.lock().write(data, clock()))?)
    }

    #[getter]
    fn backlog(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.lock().backlog())
    }

    #[pyo3(signature = (*, clean))]
    fn end(&self, py: Python<'_>, clean: bool) -> bool {
        py.detach(|| self.0.lock().end(clean))
    }

    #[getter]
    fn has_news(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().has_news())
    }

    fn commit(&self, py: Python<'_>) {
        py.detach(|| self.0.lock().commit());
    }

    #[pyo3(signature = (*, whole))]
    fn close(&self, py: Python<'_>, whole: bool) {
        py.detach(|| self.0.lock().close(whole));
    }
}

/// What to wait for before deciding again.
#[pyclass(frozen, eq, eq_int, module = "cachy._core")]
#[derive(PartialEq, Eq)]
enum Pause {
    /// Decide again with `patient=True` in a thread.
    Read,
    /// Decide again when another exchange is done.
    Wait,
}

/// The request goes upstream.
#[pyclass(frozen, module = "cachy._core")]
struct Forward {
    headers: Option<Fields>,
    deadlines: Option<(f64, f64)>,
}

#[pymethods]
impl Forward {
    #[getter]
    fn headers(&self, py: Python<'_>) -> Option<Vec<(Py<PyBytes>, Py<PyBytes>)>> {
        self.headers.as_ref().map(|fields| pairs(py, fields))
    }

    #[getter]
    fn deadlines(&self) -> Option<(f64, f64)> {
        self.deadlines
    }
}

/// The answer in place of upstream's.
#[pyclass(frozen, module = "cachy._core")]
struct Answer {
    status: u16,
    headers: Fields,
    body: Mutex<Option<body::Body>>,
}

impl From<answer::Answer> for Answer {
    fn from(answer: answer::Answer) -> Self {
        Self {
            status: answer.status,
            headers: answer.headers.0,
            body: Mutex::new(Some(answer.body)),
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
    fn headers(&self, py: Python<'_>) -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
        pairs(py, &self.headers)
    }

    fn take_body(&self) -> PyResult<Body> {
        let body = self.body.lock().take();
        body.map(Body::from)
            .ok_or_else(|| PyValueError::new_err("the body was taken already"))
    }
}

/// The head under which upstream's body goes to the client, and its other end.
#[pyclass(frozen, module = "cachy._core")]
struct Streamed {
    headers: Fields,
    body: Py<Body>,
    hold: Option<f64>,
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
}

/// A body to be read piece by piece.
#[pyclass(frozen, module = "cachy._core")]
struct Body(Mutex<body::Body>);

impl From<body::Body> for Body {
    fn from(body: body::Body) -> Self {
        Self(Mutex::new(body))
    }
}

#[pymethods]
impl Body {
    #[getter]
    fn remaining(&self) -> Option<u64> {
        self.0.lock().remaining()
    }

    #[getter]
    fn flight(&self) -> Option<u64> {
        self.0.lock().flight()
    }

    fn read<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match py.detach(|| self.0.lock().read(most)) {
            Ok(body::Chunk::Bytes(bytes)) => Ok(Some(PyBytes::new(py, &bytes))),
            Ok(body::Chunk::Later) => Ok(None),
            Ok(body::Chunk::End) => Ok(Some(PyBytes::new(py, b""))),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(
                PyEOFError::new_err("the body ends before its announced length"),
            ),
            Err(error) => Err(error.into()),
        }
    }
}

fn pairs(py: Python<'_>, fields: &Fields) -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
    let bytes = |b: &[u8]| PyBytes::new(py, b).unbind();
    fields.iter().map(|(n, v)| (bytes(n), bytes(v))).collect()
}

/// The folder where the user named none.
#[pyfunction]
fn default_directory() -> PathBuf {
    options::default_dir(|name| std::env::var(name).ok())
}

/// The system's bundle of root certificates, where one is found.
#[pyfunction]
fn system_ca_bundle() -> Option<PathBuf> {
    openssl_probe::probe().cert_file
}

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::{Answer, Body, Cache, Exchange, Forward, Pause, Request, Streamed};
    #[pymodule_export]
    use super::{default_directory, system_ca_bundle};

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        // A second import in one process finds the log in place.
        let _ = pyo3_log::try_init();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
