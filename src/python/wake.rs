//! Tickets, and the bell that tells an event loop which of them have rung.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::wake;

/// The right to be woken by one change.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Ticket(Mutex<wake::Ticket>);

impl From<wake::Ticket> for Ticket {
    fn from(ticket: wake::Ticket) -> Self {
        Self(Mutex::new(ticket))
    }
}

#[pymethods]
impl Ticket {
    #[staticmethod]
    fn rung() -> Self {
        wake::Ticket::rung().into()
    }

    #[getter]
    fn has_rung(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().has_rung())
    }
}

/// Makes a descriptor readable when tickets have rung.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Bell(Arc<wake::Bell>);

#[pymethods]
impl Bell {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Arc::new(wake::Bell::new()?)))
    }

    fn fileno(&self) -> i32 {
        self.0.as_fd().as_raw_fd()
    }

    fn listen(&self, py: Python<'_>, ticket: &Ticket) -> Option<u64> {
        py.detach(|| self.0.listen(&mut ticket.0.lock()))
    }

    fn take(&self, py: Python<'_>) -> Vec<u64> {
        py.detach(|| self.0.take())
    }
}
