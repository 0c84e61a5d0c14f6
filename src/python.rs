//! The Python module `cachy._core`: types in and out, errors, and no decision.
//!
//! Everything that may wait (a lock, the disk) does so with the interpreter released, also because
//! the log takes it back.

// Python hands over what it gives: owned values, and results that may fail in other cases.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]

mod answer;
#[cfg(target_os = "linux")]
mod enclosure;
mod exchange;
mod request;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use self::answer::{Answer, Body, Forward, Pause, Streamed};
use self::exchange::Exchange;
use self::request::Request;
use crate::error::Error;
use crate::exchange::Settings;
use crate::options;
use crate::store::Store;

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
        let inner = crate::exchange::Exchange::new(store, self.settings, request.0.clone());
        Exchange(Mutex::new(inner))
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

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::enclosure::{adopt_orphans, cover, end_with_parent, enter_namespaces};

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        // A second import in one process finds the log in place.
        let _ = pyo3_log::try_init();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
