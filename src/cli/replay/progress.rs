//! How far it has come, where somebody waits at a terminal.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(200);
const WIDTH: usize = 30;

/// How much was read and judged.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    bytes: AtomicU64,
    records: AtomicU64,
    total: u64,
    ended: AtomicBool,
}

impl Progress {
    pub(super) fn over(files: &[PathBuf]) -> Self {
        let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |found| found.len());
        Self {
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            total: files.iter().map(length).sum(),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn add(&self, bytes: u64, records: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Shows it until the end.
    pub(super) fn show(&self) {
        if !stderr().is_terminal() {
            return;
        }
        while !self.ended.load(Ordering::Relaxed) {
            eprint!("\r{}\u{1b}[K", self.line());
            std::thread::sleep(EVERY);
        }
        eprint!("\r\u{1b}[K");
    }

    fn line(&self) -> String {
        let (bytes, records) =
            (self.bytes.load(Ordering::Relaxed), self.records.load(Ordering::Relaxed));
        told(bytes, records, self.total, self.began.elapsed())
    }
}

fn told(bytes: u64, records: u64, total: u64, passed: Duration) -> String {
    let share = (bytes as f64 / total.max(1) as f64).min(1.0);
    let seconds = passed.as_secs_f64();
    let rate = records as f64 / seconds.max(0.001);
    let left = if share > 0.0 { seconds / share - seconds } else { 0.0 };
    let full = (share * WIDTH as f64) as usize;
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(WIDTH - full));
    let percent = share * 100.0;
    format!("[{bar}] {percent:>3.0} %  {records} records  {rate:.0}/s  {left:.0} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_rate_and_time_left() {
        assert_eq!(
            told(25, 500, 100, Duration::from_secs(2)),
            "[#######-----------------------]  25 %  500 records  250/s  6 s left"
        );
        assert!(told(0, 0, 0, Duration::ZERO).contains("0 records"));
        assert!(told(9, 9, 3, Duration::from_secs(1)).contains("100 %"));
    }
}
