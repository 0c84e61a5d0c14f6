//! HTTP/2 in the lane, between a client and something in mitmproxy's place: who is answered by whom, and
//! that nothing is lost or held up on the way.

#![allow(clippy::unwrap_used)]

mod support;

#[path = "multiplex/ends.rs"]
mod ends;
#[path = "multiplex/hits.rs"]
mod hits;
#[path = "multiplex/hostile.rs"]
mod hostile;
#[path = "multiplex/relayed.rs"]
mod relayed;
#[path = "multiplex/rig.rs"]
mod rig;
#[expect(dead_code, reason = "the lane's own tests need more of it")]
#[path = "lane/site.rs"]
mod site;
