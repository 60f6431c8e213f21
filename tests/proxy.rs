//! Claims about the proxy, by gate.

mod answers;
mod body;
mod circuit;
mod coding;
mod current;
mod egress;
mod faults;
mod fields;
mod framing;
mod hop;
mod identity;
mod life;
mod limits;
mod links;
mod log;
mod memory;
mod origin;
mod outcome;
mod path;
mod problem;
mod quota;
mod straight;
mod throttle;
mod tls;
mod two;
mod wire;
