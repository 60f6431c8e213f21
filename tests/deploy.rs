//! What is under `deploy`, each held against the real tool for it, or against the program.

mod container;
mod contract;
mod debian;
mod kubernetes;
mod observing;
mod release;
mod systemd;
