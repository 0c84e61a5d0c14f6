//! Processes that count together: whichever of them is asked tells the sum. Each answers the others at a
//! socket of its own, all in one folder; what it has counted stays its own until somebody asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io, thread};

use serde::de::DeserializeOwned;

use super::{Ledger, Report, RunId, Totals};

/// How long one may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// The question for what is known of all requests; any other is the id of a run.
const ALL: &str = "all";

/// The others.
#[derive(Debug)]
pub(super) struct Siblings {
    folder: PathBuf,
    /// Our own socket.
    own: PathBuf,
    all: u32,
}

impl Siblings {
    /// Begins to answer.
    pub(super) fn join(
        folder: &Path,
        number: u32,
        all: u32,
        ledger: &Arc<Ledger>,
    ) -> io::Result<Self> {
        let own = folder.join(number.to_string());
        // That of a process that died, whose place this one takes.
        let _ = fs::remove_file(&own);
        let listener = UnixListener::bind(&own)?;
        let ledger = Arc::clone(ledger);
        let answering = thread::Builder::new().name("cachy-siblings".into());
        answering.spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = answer(stream, &ledger) {
                    log::debug!("a sibling could not be answered: {error}");
                }
            }
        })?;
        let folder = folder.to_path_buf();
        Ok(Self { folder, own, all })
    }

    /// How many there are, with this one.
    pub(super) fn all(&self) -> u32 {
        self.all
    }

    /// What each of the others knows of a run.
    pub(super) fn reports(&self, id: RunId) -> Vec<Report> {
        self.ask(&id.text())
    }

    /// What each of the others knows.
    pub(super) fn totals(&self) -> Vec<Totals> {
        self.ask(ALL)
    }

    fn ask<T: DeserializeOwned>(&self, question: &str) -> Vec<T> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let others = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
            .map(|entry| entry.path())
            .filter(|path| *path != self.own);
        let answers = others.filter_map(|path| {
            // Who is about to start or end has nothing to say.
            ask(&path, question)
                .inspect_err(|error| log::debug!("{}: {error}", path.display()))
                .ok()
        });
        answers.collect()
    }
}

fn ask<T: DeserializeOwned>(path: &Path, question: &str) -> io::Result<T> {
    let mut stream = patient(UnixStream::connect(path)?)?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn answer(stream: UnixStream, ledger: &Ledger) -> io::Result<()> {
    let mut stream = patient(stream)?;
    let mut question = String::new();
    BufReader::new(&stream).read_line(&mut question)?;
    let text = match RunId::parse(question.trim_end()) {
        Some(id) => serde_json::to_vec(&ledger.report(id)),
        None => serde_json::to_vec(&ledger.totals()),
    };
    stream.write_all(&text?)
}

fn patient(stream: UnixStream) -> io::Result<UnixStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
