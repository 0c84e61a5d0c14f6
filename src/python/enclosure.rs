//! What `cachy.enclosure` calls.

use std::io;
use std::path::PathBuf;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::enclosure;

/// With its number, which pyo3 leaves out.
fn raised(error: io::Error) -> PyErr {
    PyOSError::new_err((error.raw_os_error(), error.to_string()))
}

#[pyfunction]
pub fn enter_namespaces(user: bool) -> PyResult<()> {
    enclosure::enter(user).map_err(raised)
}

#[pyfunction]
pub fn cover(target: PathBuf, source: PathBuf) -> PyResult<()> {
    enclosure::cover(&target, &source).map_err(raised)
}

#[pyfunction]
pub fn adopt_orphans() -> PyResult<()> {
    enclosure::adopt_orphans().map_err(raised)
}

#[pyfunction]
pub fn end_with_parent(kill: bool) -> PyResult<()> {
    enclosure::end_with_parent(kill).map_err(raised)
}
