//! The fast lane against the exchange: whatever it answers, it answers as the exchange does, and what
//! it leaves alone has had no effect.

#![allow(clippy::unwrap_used)]

mod support;

#[path = "lane/changes.rs"]
mod changes;
#[path = "lane/cost.rs"]
mod cost;
#[path = "lane/framing.rs"]
mod framing;
#[path = "lane/same.rs"]
mod same;
#[path = "lane/site.rs"]
mod site;
