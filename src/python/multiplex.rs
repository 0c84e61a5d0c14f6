//! HTTP/2 in the fast lane: bytes of both sides in, bytes for both sides out.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::freshness::clock;
use crate::lane::Lane;
use crate::multiplex::{self, Turn};

/// One client's HTTP/2 connection in the fast lane.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Multiplex(Mutex<multiplex::Multiplex>);

type Taken<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, bool, bool);

impl Multiplex {
    pub(super) fn new(lane: Arc<Mutex<Lane>>) -> Self {
        Self(Mutex::new(multiplex::Multiplex::new(lane)))
    }
}

#[pymethods]
impl Multiplex {
    fn take<'py>(&self, py: Python<'py>, data: &[u8], room: bool) -> Taken<'py> {
        let turn = py.detach(|| self.0.lock().take(data, room, clock()));
        told(py, &turn)
    }

    fn answer<'py>(&self, py: Python<'py>, data: &[u8], room: bool) -> Taken<'py> {
        let turn = py.detach(|| self.0.lock().answer(data, room, clock()));
        told(py, &turn)
    }

    fn end<'py>(&self, py: Python<'py>, room: bool) -> Taken<'py> {
        let turn = py.detach(|| self.0.lock().end(room, clock()));
        told(py, &turn)
    }

    #[getter]
    fn is_idle(&self) -> bool {
        self.0.lock().is_idle()
    }

    fn retire(&self) {
        self.0.lock().retire();
    }
}

fn told<'py>(py: Python<'py>, turn: &Turn) -> Taken<'py> {
    (
        PyBytes::new(py, &turn.out),
        PyBytes::new(py, &turn.inner),
        turn.more,
        turn.over,
    )
}
