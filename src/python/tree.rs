//! The tree as a whole: what commands ask of it.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::listed::{Counts, Entry, Forecast, Miss, Pruned, Removed, Shown, Stats, Verified};
use super::{Fields, folder};
use crate::error::Error;
use crate::exchange::Settings;
use crate::freshness::clock;
use crate::headers::Headers;
use crate::inspect;
use crate::internal::host::{PROXY, is_proxy};
use crate::key::Target;
use crate::layout::{RelPath, path_of};
use crate::misses;
use crate::options::Policy;
use crate::pattern::{self, Pattern};
use crate::prune::{Limits, prune};
use crate::removal;
use crate::store::Store;
use crate::summary::summary;
use crate::survey;
use crate::upload::{self, Over};
use crate::verify::verify;

/// How much of a file is copied at once, bytes.
const PIECE: usize = 1 << 20;

/// A tree, in use or at rest.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Tree(Arc<Store>);

fn target(url: &str) -> PyResult<Target> {
    let wrong = |why: String| PyValueError::new_err(format!("{url}: {why}"));
    let target = Target::parse(url).map_err(|error| wrong(error.to_string()))?;
    if is_proxy(&target) {
        return Err(wrong(format!(
            "{PROXY} is the proxy itself, of which nothing lies in the tree"
        )));
    }
    Ok(target)
}

fn over(force: bool) -> Over {
    if force { Over::Anything } else { Over::Cachys }
}

#[pymethods]
impl Tree {
    #[new]
    fn new(py: Python<'_>, directory: PathBuf) -> PyResult<Self> {
        let directory = folder(&directory);
        Ok(Self(Arc::new(py.detach(|| Store::look_at(&directory))?)))
    }

    #[getter]
    fn directory(&self) -> PathBuf {
        self.0.tree.root().to_path_buf()
    }

    #[getter]
    fn exists(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.tree.dir().is_ok())
    }

    fn path(&self, py: Python<'_>, url: &str) -> PyResult<PathBuf> {
        let nominal = path_of(&target(url)?);
        let item = py.detach(|| survey::of(&self.0, &nominal, false))?;
        let path = item.map_or(nominal, |item| item.path);
        Ok(self.0.tree.path(path.as_str()))
    }

    fn url(&self, py: Python<'_>, path: &str) -> PyResult<String> {
        let named = py.detach(|| pattern::named(&self.0, path));
        let named = named.map_err(PyValueError::new_err)?;
        Ok(named.target.url())
    }

    #[pyo3(signature = (pattern=None))]
    fn ls(&self, py: Python<'_>, pattern: Option<&str>) -> PyResult<Vec<Entry>> {
        let pattern = pattern.map(|text| self.pattern(text)).transpose()?;
        let now = clock();
        let mut found = Vec::new();
        py.detach(|| {
            survey::walk(&self.0, false, |item| {
                let meant = pattern.as_ref().is_none_or(|pattern| {
                    pattern.names(&item) || pattern.globs(&item) || pattern.holds(&item)
                });
                if meant {
                    found.push(Entry::of(item, Policy::Auto, now));
                }
                ControlFlow::Continue(())
            })
        })?;
        Ok(found)
    }

    #[pyo3(signature = (url, *, headers=Vec::new(), mode="normal", freshness="auto", private=false))]
    fn show(
        &self,
        py: Python<'_>,
        url: &str,
        headers: Fields,
        mode: &str,
        freshness: &str,
        private: bool,
    ) -> PyResult<Shown> {
        let target = target(url)?;
        let settings = Settings {
            mode: mode.parse().map_err(PyValueError::new_err)?,
            policy: freshness.parse().map_err(PyValueError::new_err)?,
            private,
            ..Settings::default()
        };
        let now = clock();
        let shown =
            py.detach(|| inspect::show(&self.0, &target, Headers(headers), settings, now))?;
        let path = self.0.tree.path(shown.path.as_str());
        let entry = |item| Py::new(py, Entry::of(item, settings.policy, now));
        Ok(Shown {
            url: shown.url,
            path,
            entry: shown.entry.map(entry).transpose()?,
            variants: shown
                .variants
                .into_iter()
                .map(entry)
                .collect::<PyResult<_>>()?,
            forecast: Py::new(py, Forecast::from(shown.forecast))?,
        })
    }

    #[pyo3(signature = (url, *, force=false))]
    fn upload(&self, py: Python<'_>, url: &str, force: bool) -> PyResult<Upload> {
        let target = target(url)?;
        let store = Arc::clone(&self.0);
        let begun = py.detach(|| upload::Upload::begin(store, target, over(force)))?;
        Ok(Upload(Mutex::new(Some(begun)), Arc::clone(&self.0)))
    }

    #[pyo3(signature = (url, file, *, force=false))]
    fn put(&self, py: Python<'_>, url: &str, file: PathBuf, force: bool) -> PyResult<PathBuf> {
        let target = target(url)?;
        let copied: Result<upload::Put, Error> = py.detach(|| {
            let failed = |e| Error::io("read", &file, e);
            let mut from = File::open(&file).map_err(failed)?;
            let mut upload = upload::Upload::begin(Arc::clone(&self.0), target, over(force))?;
            let mut bytes = vec![0; PIECE];
            loop {
                match from.read(&mut bytes).map_err(failed)? {
                    0 => return upload.commit(),
                    read => upload.write(&bytes[..read])?,
                }
            }
        });
        Ok(self.0.tree.path(copied?.at.as_str()))
    }

    #[pyo3(signature = (pattern, *, force=false, dry_run=false))]
    fn remove(
        &self,
        py: Python<'_>,
        pattern: &str,
        force: bool,
        dry_run: bool,
    ) -> PyResult<Removed> {
        let pattern = self.pattern(pattern)?;
        let removed = py.detach(|| removal::remove(&self.0, &pattern, force, dry_run))?;
        let now = clock();
        let entries = |items: Vec<survey::Item>| -> PyResult<Vec<Py<Entry>>> {
            let items = items.into_iter();
            items
                .map(|item| Py::new(py, Entry::of(item, Policy::Auto, now)))
                .collect()
        };
        Ok(Removed {
            gone: entries(removed.gone)?,
            kept: entries(removed.kept)?,
            forgotten: removed.forgotten,
        })
    }

    #[pyo3(signature = (path, *, drop=false))]
    fn verify(&self, py: Python<'_>, path: &str, drop: bool) -> PyResult<Verified> {
        let rel = RelPath::checked(path)
            .ok_or_else(|| PyValueError::new_err(format!("{path:?} is no path of the tree")))?;
        Ok(py.detach(|| verify(&self.0, &rel, drop))?.into())
    }

    fn stats(&self, py: Python<'_>) -> PyResult<Stats> {
        let summary = py.detach(|| summary(&self.0))?;
        let hosts = summary.hosts.into_iter();
        let hosts = hosts.map(|(host, counts)| Ok((host, Py::new(py, Counts::from(counts))?)));
        Ok(Stats {
            all: Py::new(py, Counts::from(summary.all))?,
            hosts: hosts.collect::<PyResult<_>>()?,
        })
    }

    #[pyo3(signature = (*, max_size=None, unused_since=None, dry_run=false))]
    fn prune(
        &self,
        py: Python<'_>,
        max_size: Option<u64>,
        unused_since: Option<i64>,
        dry_run: bool,
    ) -> PyResult<Pruned> {
        let limits = Limits {
            max_size,
            unused_since,
            dry_run,
            ..Limits::default()
        };
        Ok(py
            .detach(|| prune(&self.0, &limits, clock(), &|| false))?
            .into())
    }

    fn misses(&self, py: Python<'_>) -> PyResult<Vec<Miss>> {
        let found = py.detach(|| misses::unanswered(&self.0))?;
        Ok(found.into_iter().map(Miss::from).collect())
    }

    #[pyo3(signature = (urls=None))]
    fn forget_misses(&self, py: Python<'_>, urls: Option<Vec<String>>) -> PyResult<usize> {
        let meant = |url: &String| urls.as_ref().is_none_or(|urls| urls.contains(url));
        Ok(py.detach(|| misses::forget(&self.0.tree, |miss| meant(&miss.url)))?)
    }
}

impl Tree {
    fn pattern(&self, text: &str) -> PyResult<Pattern> {
        Pattern::parse(&self.0.tree, text).map_err(PyValueError::new_err)
    }
}

/// A person's file on its way into the tree.
#[pyclass(frozen, module = "cachy._core")]
pub(super) struct Upload(Mutex<Option<upload::Upload>>, Arc<Store>);

#[pymethods]
impl Upload {
    fn write(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let over = || PyValueError::new_err("the file is in place already, or given up");
        py.detach(|| match self.0.lock().as_mut() {
            Some(upload) => Ok(upload.write(data)?),
            None => Err(over()),
        })
    }

    fn commit(&self, py: Python<'_>) -> PyResult<PathBuf> {
        let over = || PyValueError::new_err("the file is in place already, or given up");
        let upload = self.0.lock().take().ok_or_else(over)?;
        let put = py.detach(|| upload.commit())?;
        Ok(self.1.tree.path(put.at.as_str()))
    }

    fn close(&self, py: Python<'_>) {
        let upload = self.0.lock().take();
        py.detach(|| drop(upload));
    }
}
