//! The URLs that a run asks for.

/// An https URL, ready to be asked for.
#[derive(Debug, Clone)]
pub struct Url {
    /// Without the port.
    pub host: String,
    /// With it.
    pub authority: String,
    /// The port only where it isn't the scheme's own.
    pub field: String,
    pub path: String,
    /// All of a request for it.
    pub request: String,
}

impl Url {
    /// Parses `https://HOST:PORT/PATH`; None where it isn't one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let slash = rest.find('/')?;
        let (given, path) = rest.split_at(slash);
        let (host, port) = given.rsplit_once(':').unwrap_or((given, "443"));
        port.parse::<u16>().ok()?;
        let field = if port == "443" { host } else { given };
        Some(Self {
            host: host.to_owned(),
            authority: format!("{host}:{port}"),
            field: field.to_owned(),
            path: path.to_owned(),
            request: format!("GET {path} HTTP/1.1\r\nHost: {field}\r\nAccept: */*\r\n\r\n"),
        })
    }

    /// As many as `count`, with the number of each in the place of `{}`, and its thousand in that of
    /// `{k}`; one alone where there is no such place. The numbers are `step` apart.
    pub fn all(template: &str, count: usize, step: usize) -> Option<Vec<Self>> {
        let count = if template.contains("{}") { count } else { 1 };
        let urls = (0..count).map(|which| {
            let number = which * step;
            let text = template.replace("{}", &number.to_string());
            Self::parse(&text.replace("{k}", &(number / 1000).to_string()))
        });
        urls.collect()
    }
}
