//! The benchmark's client and origin: `load --help`.

mod authority;
mod content;
mod origin;
mod report;
mod streams;
mod url;
mod walk;
mod wire;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::{Args, Parser};
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use authority::Authority;
use content::Content;
use origin::Origin;
use url::Url;
use walk::{Until, Walk};
use wire::Route;

/// The benchmark's client and origin.
#[derive(Debug, Parser)]
enum Command {
    /// Answers any https URL whose path begins with a length (/10k/a, /10k/after-50/a), and writes its CA.
    ///
    /// Prints its ports as JSON: `port`, and `control`, where `GET /` gives what it was asked and `POST /`
    /// begins anew.
    Origin {
        /// For `ca.pem`, `ca-key.pem`, and `HOST.pem` for each further host.
        folder: PathBuf,
        /// Hosts for which others need a certificate.
        hosts: Vec<String>,
        /// The port for https, a free one by default.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Writes what the origin would answer as FOLDER/HOST/PATH.
    Files {
        folder: PathBuf,
        /// An https URL, `{}` in it stands for numbers, `{k}` for how many thousands they are.
        url: String,
        /// How many URLs `{}` makes.
        #[arg(long, default_value_t = 1)]
        urls: usize,
    },
    /// Asks for URLs, verifies every body, and tells how long it took as JSON.
    ///
    /// Ends with 1 and says why as soon as anything is wrong. Asks for each URL once, shared between the
    /// connections, unless told otherwise.
    Get(Get),
}

#[derive(Debug, Args)]
struct Get {
    /// Address and port of the proxy.
    #[arg(long, required_unless_present = "direct")]
    proxy: Option<SocketAddr>,
    /// Address and port of the server, where there is no proxy.
    #[arg(long, conflicts_with = "proxy")]
    direct: Option<SocketAddr>,
    /// The CA to trust, PEM.
    #[arg(long)]
    ca: PathBuf,
    /// An https URL, `{}` in it stands for numbers, `{k}` for how many thousands they are.
    #[arg(long)]
    url: String,
    /// How many URLs `{}` makes.
    #[arg(long, default_value_t = 1)]
    urls: usize,
    /// How far apart the numbers are.
    #[arg(long, default_value_t = 1)]
    step: usize,
    /// Connections at a time; each begins at another URL.
    #[arg(short, long, default_value_t = 1)]
    connections: usize,
    /// For how long to go around.
    #[arg(long, conflicts_with_all = ["count", "each"])]
    seconds: Option<f64>,
    /// How many requests, of all connections together.
    #[arg(long, conflicts_with = "each")]
    count: Option<usize>,
    /// Every connection asks for every URL.
    #[arg(long)]
    each: bool,
    /// A new connection for each request; then its time is part of the request's.
    #[arg(long)]
    fresh: bool,
    /// Over HTTP/2, with so many requests at a time on each connection; all URLs are of one host then.
    #[arg(long, conflicts_with = "fresh", value_parser = clap::value_parser!(u16).range(1..))]
    streams: Option<u16>,
    /// With session tickets: handshakes as a client has them that was there before.
    #[arg(long)]
    resume: bool,
}

fn trusting(
    ca: &Path,
    resume: bool,
    protocols: &[&str],
) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    if !resume {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

fn urls(template: &str, count: usize, step: usize) -> Result<Vec<Url>, Box<dyn Error>> {
    let urls =
        Url::all(template, count, step).ok_or_else(|| format!("not an https URL: {template}"))?;
    if urls.is_empty() {
        Err("no URLs".into())
    } else {
        Ok(urls)
    }
}

fn get(get: &Get) -> Result<bool, Box<dyn Error>> {
    let urls = urls(&get.url, get.urls, get.step)?;
    let protocols: &[&str] = match get.streams {
        None => &["http/1.1"],
        Some(_) if urls.iter().any(|url| url.authority != urls[0].authority) => {
            return Err("a connection with streams goes to one host".into());
        }
        // As real clients do: mitmproxy offers an origin what its client has offered.
        Some(_) => &["h2", "http/1.1"],
    };
    let walk = Walk {
        route: match (get.proxy, get.direct) {
            (Some(proxy), _) => Route::Proxy(proxy),
            (None, Some(server)) => Route::Direct(server),
            (None, None) => return Err("neither --proxy nor --direct".into()),
        },
        config: trusting(&get.ca, get.resume, protocols)?,
        connections: get.connections.max(1),
        until: match (get.seconds, get.each) {
            (Some(seconds), _) => Until::Time(Duration::try_from_secs_f64(seconds)?),
            (None, true) => Until::Each,
            (None, false) => Until::Count(get.count.unwrap_or(urls.len())),
        },
        urls,
        fresh: get.fresh,
        streams: get.streams.map(usize::from),
    };
    let report = walk.run().report();
    println!("{}", serde_json::to_string(&report)?);
    for failure in &report.failures {
        eprintln!("load: FAILED: {failure}");
    }
    Ok(report.failures.is_empty())
}

fn files(folder: &Path, template: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let content = Content::new();
    for url in urls(template, count, 1)? {
        let body = content
            .body(&url.host, &url.path)
            .ok_or("the path's first segment is no length")?;
        let path = folder.join(format!("{}{}", url.host, url.path));
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        let mut file = fs::File::create(&path)?;
        let mut position = 0;
        while position < body.length {
            let piece = body.piece(position);
            file.write_all(piece)?;
            position += piece.len() as u64;
        }
    }
    Ok(())
}

fn origin(folder: &Path, hosts: &[String], port: u16) -> Result<(), Box<dyn Error>> {
    let authority = Authority::new()?;
    authority.write(folder, hosts)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(authority));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let origin: &'static Origin = Box::leak(Box::new(Origin::new(Arc::new(config))));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let control = TcpListener::bind(("127.0.0.1", 0))?;
    println!(
        "{}",
        serde_json::json!({
            "port": listener.local_addr()?.port(),
            "control": control.local_addr()?.port(),
        })
    );
    std::io::stdout().flush()?;
    thread::spawn(move || origin.tell(&control));
    origin.serve(&listener);
    Ok(())
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Origin {
            folder,
            hosts,
            port,
        } => origin(&folder, &hosts, port).map(|()| true),
        Command::Files { folder, url, urls } => files(&folder, &url, urls).map(|()| true),
        Command::Get(arguments) => get(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
