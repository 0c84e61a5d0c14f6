//! A request, in and out.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{Fields, pairs};
use crate::headers::Headers;
use crate::key::Scheme;
use crate::request;
use crate::way::Way;

/// A request as it came in.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Request(pub(super) request::Request);

/// A scheme by its name.
pub(super) fn scheme(name: &str) -> PyResult<Scheme> {
    match name {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        _ => Err(PyValueError::new_err(format!("scheme {name:?}"))),
    }
}

#[pymethods]
impl Request {
    #[new]
    #[pyo3(signature = (*, method, scheme, host, port, path, headers, authority=None, sni=None, mode="regular", own=false, straight=false, special=false, multiplexed=false, old=false))]
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
        straight: bool,
        special: bool,
        multiplexed: bool,
        old: bool,
    ) -> PyResult<Self> {
        Ok(Self(request::Request {
            method,
            scheme: self::scheme(scheme)?,
            host,
            port,
            path,
            headers: Headers(headers),
            authority,
            sni,
            way: Way::of(mode, own, straight),
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
