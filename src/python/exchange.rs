//! The exchange: each question to the core, and its answer.

use parking_lot::Mutex;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat};

use super::answer::{Answer, Forward, Pause, Streamed};
use super::request::Request;
use super::wake::Ticket;
use super::{Fields, pairs};
use crate::exchange::{self, Look, Reply, Step};
use crate::freshness::clock;
use crate::headers::Headers;

/// One request and its response.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Exchange(pub(super) Mutex<exchange::Exchange>);

#[pymethods]
impl Exchange {
    #[pyo3(signature = (*, patient=false))]
    fn decide(&self, py: Python<'_>, patient: bool) -> PyResult<Py<PyAny>> {
        match py.detach(|| self.0.lock().decide(patient, clock())) {
            Step::Answer(answer) => Ok(Py::new(py, Answer::from(answer))?.into_any()),
            Step::Forward(forward) => Ok(Py::new(py, Forward::from(forward))?.into_any()),
            Step::Read => Ok(Py::new(py, Pause::Read)?.into_any()),
            Step::Wait(ticket) => Ok(Py::new(py, Ticket::from(ticket))?.into_any()),
            Step::Take => Ok(Py::new(py, Pause::Take)?.into_any()),
        }
    }

    #[getter]
    fn internal(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().is_visit())
    }

    #[pyo3(signature = (status, headers, *, multiplexed=false))]
    fn response(
        &self,
        py: Python<'_>,
        status: u16,
        headers: Fields,
        multiplexed: bool,
    ) -> PyResult<Py<PyAny>> {
        let headers = Headers(headers);
        match py.detach(|| {
            self.0
                .lock()
                .response(status, &headers, multiplexed, clock())
        }) {
            Reply::Answer(answer) => Ok(Py::new(py, Answer::from(answer))?.into_any()),
            Reply::Body {
                headers,
                body,
                hold,
                instead,
            } => {
                let instead = instead.map(|answer| Py::new(py, Answer::from(*answer)));
                let streamed = Streamed::new(py, headers, body, hold, instead.transpose()?)?;
                Ok(Py::new(py, streamed)?.into_any())
            }
            Reply::Again(forward) => Ok(Py::new(py, Forward::from(forward))?.into_any()),
            Reply::Wait(ticket) => Ok(Py::new(py, Ticket::from(ticket))?.into_any()),
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

    fn refused(&self, py: Python<'_>) -> Option<Answer> {
        let answer = py.detach(|| self.0.lock().refused(clock()));
        answer.map(Answer::from)
    }

    #[getter]
    fn restated(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| self.0.lock().restated())
    }

    #[getter]
    fn host(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.lock().request().host.clone())
    }

    #[getter]
    fn leading(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().is_leading())
    }

    fn wanted(&self, py: Python<'_>) -> Option<Ticket> {
        let ticket = py.detach(|| self.0.lock().wanted(clock()));
        ticket.map(Ticket::from)
    }

    fn pace(&self, py: Python<'_>, held: bool) -> Option<Ticket> {
        let ticket = py.detach(|| self.0.lock().pace(held));
        ticket.map(Ticket::from)
    }

    fn work(&self, py: Python<'_>) -> Option<Self> {
        let work = py.detach(|| self.0.lock().work());
        work.map(|inner| Self(Mutex::new(inner)))
    }

    #[getter]
    fn request(&self, py: Python<'_>) -> Request {
        Request(py.detach(|| self.0.lock().request().clone()))
    }

    #[pyo3(signature = (reason, *, connected))]
    fn failed(&self, py: Python<'_>, reason: &str, connected: bool) -> Answer {
        py.detach(|| self.0.lock().failed(reason, connected, clock()))
            .into()
    }

    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        // The one copy that is made of it: what it lies in is used again at once.
        let data = PyBuffer::<u8>::get(data)?.to_vec(py)?;
        Ok(py.detach(|| self.0.lock().write(data, clock()))?)
    }

    fn trailers(&self, py: Python<'_>, fields: Fields) -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
        let mut fields = Headers(fields);
        py.detach(|| self.0.lock().trailers(&mut fields));
        pairs(py, &fields.0)
    }

    #[getter]
    fn backlog(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.lock().backlog())
    }

    #[pyo3(signature = (*, clean))]
    fn end(&self, py: Python<'_>, clean: bool) -> bool {
        py.detach(|| self.0.lock().end(clean))
    }

    fn commit_at_once(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.lock().commit_at_once())
    }

    fn commit(&self, py: Python<'_>) {
        py.detach(|| self.0.lock().commit());
    }

    #[pyo3(signature = (*, whole))]
    fn close(&self, py: Python<'_>, whole: bool) {
        py.detach(|| self.0.lock().close(whole));
    }
}
