//! What the proxy answers for itself, under `cachy_host`. No such request ever reaches another host.
//!
//! | path | what |
//! |---|---|
//! | `/` | what is here, for people |
//! | `/status` | is it up, and is it cachy; JSON |
//! | `/ca.pem` | the certificate that clients have to trust |
//! | `/setup.sh` | installs it |
//! | `/stats` | what became of the requests of this process; JSON |
//! | `/runs/ID` | and of one run; JSON |
//! | `/cache/URL` | what the tree has for a URL: to read, to place, to remove; with the token |
//!
//! A browser that opens the proxy's own address, by whatever name, gets a page that says what this is
//! ([`front`]), and nothing else.
//!
//! The order of the questions: is the name ours in every place where it stands ([`host`]), does a
//! page of another site ask ([`guard`]), what is asked for ([`route`]), is the token right
//! ([`token`]). Then [`visit`] answers, [`cached`] from the tree; [`upload`] takes a file.

pub mod cached;
mod front;
pub mod guard;
pub mod host;
pub mod route;
pub mod text;
pub mod token;
mod upload;
mod visit;

pub use host::Host;
pub use visit::{Context, Visit};
