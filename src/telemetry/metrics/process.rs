//! What the kernel says of the process, under the names that Prometheus gives it everywhere. Where
//! there is no `/proc`, it says nothing.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many ticks of the processor's clock `/proc` counts in a second; the same on every Linux.
const TICKS: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Numbers {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge,
    open_files: Gauge,
}

impl Numbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let numbers = Self {
            cpu: Counter::default(),
            resident: Gauge::default(),
            open_files: Gauge::default(),
        };
        let started: Gauge<f64, AtomicU64> = Gauge::default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        started.set(now.as_secs_f64());
        let (cpu, resident) = (numbers.cpu.clone(), numbers.resident.clone());
        registry.register_with_unit("process_cpu", "Processor time used", Unit::Seconds, cpu);
        registry.register_with_unit(
            "process_resident_memory",
            "Memory used",
            Unit::Bytes,
            resident,
        );
        registry.register("process_open_fds", "Files that are open", numbers.open_files.clone());
        registry.register_with_unit(
            "process_start_time",
            "When the process started, in seconds since 1970",
            Unit::Seconds,
            started,
        );
        numbers
    }

    /// Asks anew.
    pub(super) fn look(&self) {
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu) {
            self.cpu.inner().store(seconds.to_bits(), Ordering::Relaxed);
        }
        let status = fs::read_to_string("/proc/self/status");
        if let Some(bytes) = status.ok().as_deref().and_then(resident) {
            self.resident.set(bytes);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is read.
            let count = files.count().saturating_sub(1);
            self.open_files.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

/// The seconds in `/proc/self/stat`, of the program and of the kernel for it. The name of the program
/// stands in brackets and may hold anything.
fn cpu(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
    Some((user + system) / TICKS)
}

/// The bytes in `/proc/self/status`.
fn resident(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read_whatever_the_program_is_called() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 3 0 99 1 2";
        assert_eq!(cpu(stat), Some(3.0));
        assert_eq!(cpu("7 (a"), None);
        assert_eq!(resident("Name:\tx\nVmRSS:\t  2048 kB\nX:\t1\n"), Some(2 << 20));
        assert_eq!(resident("Name:\tx\n"), None);
        let own = Numbers::register(&mut Registry::default());
        own.look();
        assert!(own.resident.get() > 1 << 20 && own.open_files.get() > 2);
    }
}
