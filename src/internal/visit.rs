//! One request to the proxy itself.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::host::{Host, Named};
use super::route::{Route, cached_url};
use super::upload::{self, Upload};
use super::{cached, front, guard, text, token};
use crate::answer::Answer;
use crate::exchange::Step;
use crate::key::Target;
use crate::meta::Millis;
use crate::options::Mode;
use crate::request::Request;
use crate::store::Store;
use crate::upload::Over;
use crate::way::Way;

/// What is known when a request has to be answered.
#[derive(Debug)]
pub struct Context<'a> {
    /// The tree.
    pub store: &'a Arc<Store>,
    /// `cachy_mode`
    pub mode: Mode,
    /// The request.
    pub request: &'a Request,
    /// It may wait for the disk.
    pub patient: bool,
    /// Now.
    pub now: Millis,
}

/// One request.
#[derive(Debug)]
pub struct Visit {
    host: Arc<Host>,
    upload: Taking,
}

/// How far an upload has come.
#[derive(Debug, Default)]
enum Taking {
    /// Nothing is being uploaded.
    #[default]
    Nothing,
    /// Its body is coming.
    Open(Box<Upload>),
    /// Its body is there.
    Ended(Box<Upload>),
    /// The disk refused.
    Failed(Box<Answer>),
}

impl Visit {
    /// For a request that names `cachy_host`, or came straight to the proxy.
    #[must_use]
    pub fn new(host: Arc<Host>) -> Self {
        Self {
            host,
            upload: Taking::Nothing,
        }
    }

    /// What to do with it.
    pub fn decide(&mut self, context: &Context<'_>) -> Step {
        let step = match std::mem::take(&mut self.upload) {
            Taking::Nothing => self.begin(context),
            Taking::Failed(answer) => Step::Answer(*answer),
            Taking::Ended(upload) if context.patient => {
                let see = String::from_utf8_lossy(&context.request.path);
                let see = format!("http://{}{see}", self.host.name());
                Step::Answer(upload.finish(context.store, &see))
            }
            Taking::Ended(upload) => {
                self.upload = Taking::Ended(upload);
                Step::Read
            }
            Taking::Open(upload) => {
                self.upload = Taking::Open(upload);
                Step::Take
            }
        };
        match step {
            Step::Answer(answer) if context.request.is_head() => Step::Answer(text::head(answer)),
            step => step,
        }
    }

    /// Bytes of an upload; of anything else, nobody wants them.
    ///
    /// # Errors
    /// Where they can't be written: [`Visit::decide`] tells what to answer.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Taking::Open(upload) = &mut self.upload else {
            return Ok(());
        };
        upload.write(bytes).map_err(|error| {
            self.upload = Taking::Failed(Box::new(upload::failed(&error)));
            error.kind().unwrap_or(io::ErrorKind::Other).into()
        })
    }

    /// All of the body is there.
    pub fn end(&mut self) {
        self.upload = match std::mem::take(&mut self.upload) {
            Taking::Open(upload) => Taking::Ended(upload),
            other => other,
        };
    }

    fn begin(&mut self, context: &Context<'_>) -> Step {
        if context.request.way == Way::Straight && !self.host.is_meant(context.request) {
            return Step::Answer(front::answer(context.request, self.host.name()));
        }
        let route = match self.admit(context) {
            Ok(route) => route,
            Err(answer) => return Step::Answer(*answer),
        };
        let (name, ledger) = (self.host.name(), &self.host.ledger);
        if matches!(route, Route::Stats | Route::Run(_))
            && ledger.has_siblings()
            && !context.patient
        {
            return Step::Read;
        }
        Step::Answer(match route {
            Route::Welcome => text::welcome(name, context.mode),
            Route::Status => text::status(context.store, name, context.mode),
            Route::Certificate => self.certificate(),
            Route::Setup => self.setup(),
            Route::Stats => text::json(&ledger.totals_of_all()),
            Route::Run(id) => text::json(&ledger.report_of_all(id)),
            Route::Cache(url) => match cached_url(url) {
                Ok(target) => return self.cache(context, target),
                Err(error) => text::plain(400, &format!("{error}\n")),
            },
        })
    }

    /// What is asked for, or the answer to who may not ask so.
    fn admit<'a>(&self, context: &Context<'a>) -> Result<Route<'a>, Box<Answer>> {
        let (request, name) = (context.request, self.host.name());
        let refuse = |code, why: &str| Err(Box::new(text::plain(code, &format!("{why}\n"))));
        match self.host.named(request) {
            Named::Ours => {}
            Named::Mixed => {
                return refuse(403, &format!("This request names {name} and another host."));
            }
            Named::OtherPort => {
                return refuse(421, &format!("{name} answers on ports 80 and 443 alone."));
            }
        }
        if guard::is_foreign(&self.host, &request.headers) {
            return refuse(403, "Pages of other sites have no business here.");
        }
        let route = Route::of(&request.path).ok_or_else(|| text::nothing(name))?;
        if !route.takes(&request.method) {
            return Err(Box::new(text::not_allowed(route.allow())));
        }
        if let Route::Cache(_) = route {
            let presented = guard::presented(&request.headers);
            let right = |token: &Vec<u8>| token::is_right(&context.store.tree, token);
            if !presented.as_ref().is_some_and(right) {
                // Somebody may have removed it, or the whole tree: what the answer tells of has to be
                // there.
                let tree = &context.store.tree;
                if let Err(error) = tree.prepare().and_then(|()| token::ensure(tree)) {
                    context.store.troubles.say(&error);
                }
                let given = request.headers.has("authorization");
                return Err(Box::new(text::unauthorized(context.store, given)));
            }
        }
        Ok(route)
    }

    fn cache(&mut self, context: &Context<'_>, target: Target) -> Step {
        let request = context.request;
        match request.method.as_str() {
            _ if self.host.is_name(target.host()) => Step::Answer(text::plain(
                400,
                "What the proxy answers for itself is not in the cache.\n",
            )),
            "PUT" => self.take(context, target),
            "DELETE" if !context.patient => Step::Read,
            "DELETE" => Step::Answer(cached::remove(context, &target)),
            _ => cached::read(context, &target).map_or(Step::Read, Step::Answer),
        }
    }

    fn take(&mut self, context: &Context<'_>, target: Target) -> Step {
        let fields = &context.request.headers;
        if fields.has("content-range") {
            // RFC 9110 section 14.5.
            let why = "A part of a file can't be placed: send all of it, without Content-Range.\n";
            return Step::Answer(text::plain(400, why));
        }
        if fields.has("content-encoding") {
            let why = "Send the file as it is to lie there, without Content-Encoding.\n";
            return Step::Answer(text::plain(415, why));
        }
        let announced = fields.text("content-length").and_then(|n| n.parse().ok());
        match Upload::begin(context.store, target, Over::of(fields), announced) {
            Ok(upload) => {
                self.upload = Taking::Open(Box::new(upload));
                Step::Take
            }
            Err(error) => Step::Answer(upload::failed(&error)),
        }
    }

    fn certificate(&self) -> Answer {
        match self.pem() {
            Ok(pem) => text::of_type("application/x-pem-file", &pem),
            Err(answer) => *answer,
        }
    }

    fn setup(&self) -> Answer {
        let template = match read(self.host.setup.as_deref()) {
            Ok(template) => template,
            Err(why) => return text::plain(500, &format!("cannot read setup.sh: {why}\n")),
        };
        match self.pem() {
            Ok(pem) => text::setup(&template, self.host.name(), &pem),
            Err(answer) => *answer,
        }
    }

    fn pem(&self) -> Result<String, Box<Answer>> {
        let found = read(self.host.certificate.as_deref()).and_then(|pem| {
            text::certificates(&pem).ok_or_else(|| "there is no certificate in it".to_owned())
        });
        found.map_err(|why| {
            let text = format!("cannot read the certificate of mitmproxy's CA: {why}\n");
            Box::new(text::plain(500, &text))
        })
    }
}

fn read(path: Option<&Path>) -> Result<String, String> {
    let path = path.ok_or_else(|| "nobody told where it lies".to_owned())?;
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
