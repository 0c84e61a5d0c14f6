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
mod lane;
mod listed;
mod multiplex;
mod request;
mod tree;
mod wake;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use self::answer::{Answer, Body, Forward, Pause, Streamed};
use self::exchange::Exchange;
use self::lane::{Lane, Turn};
use self::listed::{Counts, Entry, Forecast, Miss, Pruned, Removed, Shown, Stats, Verified};
use self::multiplex::Multiplex;
use self::request::Request;
use self::tree::{Tree, Upload};
use self::wake::{Bell, Ticket};
use crate::budget::Budget;
use crate::error::Error;
use crate::exchange::Settings;
use crate::freshness::clock;
use crate::internal::host::PROXY;
use crate::internal::{Host, token};
use crate::lane::{Place, Start};
use crate::ledger::{Ledger, RunId};
use crate::local;
use crate::options;
use crate::store::Store;
use crate::troubles::Board;
use crate::way::Way;

/// Of the process, whatever the options are and how often they change.
static LEDGER: LazyLock<Arc<Ledger>> = LazyLock::new(Arc::default);

/// What the log says of the disk, likewise.
static SAID: LazyLock<Arc<Board>> = LazyLock::new(Arc::default);

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
    host: Arc<Host>,
}

#[pymethods]
impl Cache {
    #[new]
    #[pyo3(signature = (directory, *, mode, freshness, private, max_size=None, host=PROXY, certificate=None, setup=None, chained=false))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        mode: &str,
        freshness: &str,
        private: bool,
        max_size: Option<u64>,
        host: &str,
        certificate: Option<PathBuf>,
        setup: Option<PathBuf>,
        chained: bool,
    ) -> PyResult<Self> {
        let settings = Settings {
            mode: mode.parse().map_err(PyValueError::new_err)?,
            policy: freshness.parse().map_err(PyValueError::new_err)?,
            private,
            chained,
        };
        let host = Host::new(host, certificate, setup, Arc::clone(&LEDGER));
        let host = Arc::new(host.map_err(PyValueError::new_err)?);
        let directory = folder(&directory);
        let mut store = py.detach(|| Store::open_with(&directory, Arc::clone(&SAID)))?;
        store.budget = Budget::of(max_size, LEDGER.processes());
        let store = Arc::new(store);
        if let Err(error) = py.detach(|| token::ensure(&store.tree)) {
            py.detach(|| store.troubles.say(&error));
        }
        Ok(Self {
            store,
            settings,
            host,
        })
    }

    #[getter]
    fn crowded(&self) -> bool {
        self.store.budget.is_exceeded(clock())
    }

    fn make_room(&self, py: Python<'_>) -> PyResult<Option<Pruned>> {
        let store = &self.store;
        match py.detach(|| store.budget.make_room(store, clock())) {
            Ok(pruned) => Ok(pruned.map(Pruned::from)),
            Err(error) if py.detach(|| store.troubles.is_news(&error, 0)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    fn end(&self) {
        self.store.budget.end();
    }

    #[getter]
    fn offline(&self) -> bool {
        self.settings.mode == options::Mode::Offline
    }

    #[pyo3(signature = (request, *, run=None))]
    fn exchange(&self, request: PyRef<'_, Request>, run: Option<&str>) -> Exchange {
        let store = Arc::clone(&self.store);
        let ours = request.0.way == Way::Straight || self.host.is_meant(&request.0);
        let inner = crate::exchange::Exchange::new(store, self.settings, request.0.clone());
        Exchange(Mutex::new(if ours {
            inner.visiting(Arc::clone(&self.host))
        } else {
            inner.counted(LEDGER.tally(run.and_then(RunId::parse)))
        }))
    }

    #[pyo3(signature = (*, mode="regular", own=false, run=None, scheme=None, host=None, port=None, sni=None, connect=true))]
    #[allow(clippy::too_many_arguments)]
    fn lane(
        &self,
        py: Python<'_>,
        mode: &str,
        own: bool,
        run: Option<String>,
        scheme: Option<&str>,
        host: Option<String>,
        port: Option<u16>,
        sni: Option<String>,
        connect: bool,
    ) -> PyResult<Lane> {
        let start = Start {
            way: Way::of(mode, own, false),
            origin: host.zip(port),
            scheme: request::scheme(scheme.unwrap_or("http"))?,
            sni,
            upstream: mode == "upstream",
            connect,
            run,
            // There mitmproxy may change the Host field.
            closed: own || mode == "reverse",
        };
        let place = Place {
            store: Arc::clone(&self.store),
            settings: self.settings,
            host: Arc::clone(&self.host),
            ledger: Arc::clone(&LEDGER),
            reasons: lane::reasons(py)?,
        };
        Ok(Lane::new(place, start))
    }

    fn is_host(&self, name: &str) -> bool {
        self.host.is_name(name)
    }

    fn look_around(&self, py: Python<'_>) {
        py.detach(|| self.store.look_around());
    }

    fn settle(&self, py: Python<'_>) {
        if let Err(error) = py.detach(|| self.store.settled.settle(&self.store.tree)) {
            py.detach(|| log::debug!("{error}"));
        }
    }

    fn save_stats(&self, py: Python<'_>) {
        if let Err(error) = py.detach(|| LEDGER.save(&self.store.tree)) {
            py.detach(|| log::debug!("{error}"));
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
    folder(&options::default_dir(|name| std::env::var(name).ok()))
}

/// What people mean by a folder.
fn folder(written: &Path) -> PathBuf {
    options::folder(written, std::env::var_os("HOME").map(PathBuf::from))
}

/// A size in bytes.
#[pyfunction]
fn parse_size(text: &str) -> PyResult<u64> {
    options::size(text).map_err(PyValueError::new_err)
}

/// `cachy_max_size` in bytes.
#[pyfunction]
fn parse_max_size(text: &str) -> PyResult<Option<u64>> {
    options::max_size(text).map_err(PyValueError::new_err)
}

/// A time span in seconds.
#[pyfunction]
fn parse_span(text: &str) -> PyResult<u64> {
    options::span(text).map_err(PyValueError::new_err)
}

/// Lets this process count together with others.
#[pyfunction]
fn join_siblings(py: Python<'_>, folder: PathBuf, number: u32, all: u32) -> PyResult<()> {
    Ok(py.detach(|| {
        LEDGER.join(&folder, number, all)?;
        SAID.share(&folder.join("said"))
    })?)
}

/// This machine's names and the addresses of its interfaces.
#[pyfunction]
fn this_machine() -> (Vec<String>, Vec<String>) {
    let machine = local::machine();
    let addresses = machine.addresses().iter().map(ToString::to_string);
    (machine.names().to_vec(), addresses.collect())
}

/// Whether a host belongs to a private network.
#[pyfunction]
fn is_private_host(host: &str) -> bool {
    local::is_private(host)
}

/// The system's bundle of root certificates, where one is found.
#[pyfunction]
fn system_ca_bundle() -> Option<PathBuf> {
    // SSL_CERT_FILE may name anything.
    openssl_probe::probe()
        .cert_file
        .filter(|path| path.is_file())
}

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::{Answer, Body, Cache, Exchange, Forward, Pause, Request, Streamed};
    #[pymodule_export]
    use super::{Bell, Ticket};
    #[pymodule_export]
    use super::{Counts, Entry, Forecast, Miss, Pruned, Removed, Shown, Stats, Verified};
    #[pymodule_export]
    use super::{Lane, Multiplex, Turn};
    #[pymodule_export]
    use super::{Tree, Upload};
    #[pymodule_export]
    use super::{
        default_directory, is_private_host, join_siblings, parse_max_size, parse_size, parse_span,
        system_ca_bundle, this_machine,
    };

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
