//! What the system tells of processes: `/proc` of Linux.

use std::collections::HashMap;
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Failure;
use crate::figures::count;

/// What Linux counts processor time in, whatever the kernel's own ticks are.
const TICKS: f64 = 100.0;

/// The fields of `/proc/PID/stat` behind the program's name, which stands in brackets and may hold anything.
fn stat(path: &str) -> Option<Vec<String>> {
    let stat = fs::read_to_string(path).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn seconds(fields: &[String], which: std::ops::Range<usize>) -> f64 {
    let ticks = |field: &String| field.parse::<u32>().unwrap_or_default();
    f64::from(fields.get(which).unwrap_or_default().iter().map(ticks).sum::<u32>()) / TICKS
}

/// The processor time of a process and of its children that have ended and were waited for (`utime` to `cstime`).
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    stat(&format!("/proc/{pid}/stat")).map_or(0.0, |fields| seconds(&fields, 11..15))
}

/// The processor time of the children of this process that have ended, and of theirs (`cutime` and `cstime`).
pub(crate) fn cpu_seconds_of_ended() -> f64 {
    stat("/proc/self/stat").map_or(0.0, |fields| seconds(&fields, 13..15))
}

/// The processor time of a process and of all under it.
pub(crate) fn cpu_seconds_of_tree(root: u32) -> f64 {
    tree(&[root]).into_iter().map(cpu_seconds).sum()
}

/// The processes and all under them.
pub(crate) fn tree(roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some(fields) = stat(&format!("/proc/{pid}/stat")) else { continue };
        if let Some(parent) = fields.get(1).and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = roots.to_vec();
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    found
}

/// The memory of the processes and all under them, in KiB: what several of them share is counted once (`Pss`).
pub(crate) fn memory_kib(roots: &[u32]) -> u64 {
    let pss = |pid: u32| -> Option<u64> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB")?.trim().parse().ok())
    };
    tree(roots).into_iter().filter_map(pss).sum()
}

/// Whether any thread of a process runs, waits for a processor (`R`) or for the disk (`D`).
pub(crate) fn is_busy(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let state = |path: std::path::PathBuf| stat(path.join("stat").to_str()?)?.into_iter().next();
    threads.filter_map(|thread| state(thread.path())).any(|state| state == "R" || state == "D")
}

/// The processor time that the machine has used, and what it had, both in seconds since it was started.
pub(crate) fn machine() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; what follows is contained in `user`.
    let ticks: Vec<f64> = line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    ((all - idle) / TICKS, all / TICKS)
}

/// Looks at something again and again, in a thread of its own, until it is ended.
pub(crate) struct Sampler<T> {
    end: Sender<()>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Sampler<T> {
    /// Calls `look` every `interval`, the first time at once.
    pub(crate) fn start<F>(interval: Duration, mut seen: T, mut look: F) -> Self
    where
        F: FnMut(&mut T) + Send + 'static,
    {
        let (end, ended): (_, Receiver<()>) = channel();
        let thread = std::thread::spawn(move || {
            loop {
                let started = Instant::now();
                look(&mut seen);
                // Looking costs processor time that others want: a tenth of one at most.
                match ended.recv_timeout(interval.max(started.elapsed() * 10)) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return seen,
                }
            }
        });
        Self { end, thread }
    }

    /// Ends it and tells what it saw.
    pub(crate) fn end(self) -> Result<T, Failure> {
        drop(self.end);
        self.thread.join().map_err(|_| "a thread that samples processes panicked".into())
    }
}

/// The most memory that processes hold at the same moment, in KiB.
pub(crate) fn watch_memory(roots: Vec<u32>) -> Sampler<u64> {
    Sampler::start(Duration::from_millis(100), 0, move |most| *most = memory_kib(&roots).max(*most))
}

/// A process at one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// In milliseconds since 1970.
    at: i64,
    busy: bool,
    cpu_seconds: f64,
}

/// A process through a span of time.
#[derive(Debug, Default)]
pub(crate) struct Looks(Vec<Look>);

/// How hard a process worked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activity {
    /// Processors that it used.
    pub(crate) cores: f64,
    /// The share of the time in which a thread of it ran, waited for a processor or for the disk.
    pub(crate) busy: f64,
}

/// Looks at a process 50 times a second.
pub(crate) fn watch(pid: u32) -> Sampler<Looks> {
    Sampler::start(Duration::from_millis(20), Looks::default(), move |looks| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        looks.0.push(Look { at, busy: is_busy(pid), cpu_seconds: cpu_seconds(pid) });
    })
}

impl Looks {
    /// How hard it worked in the whole span.
    pub(crate) fn activity(&self) -> Option<Activity> {
        self.within(i64::MIN, i64::MAX)
    }

    /// How hard it worked between two moments, in milliseconds since 1970; `None` if it was not looked at twice.
    pub(crate) fn within(&self, from: i64, to: i64) -> Option<Activity> {
        let looks: Vec<Look> = self.0.iter().filter(|look| (from..=to).contains(&look.at)).copied().collect();
        let (first, last) = (looks.first()?, looks.last()?);
        let millis = u32::try_from(last.at - first.at).ok().filter(|millis| *millis > 0)?;
        let busy = looks.iter().filter(|look| look.busy).count();
        Some(Activity {
            cores: (last.cpu_seconds - first.cpu_seconds) / (f64::from(millis) / 1_000.0),
            busy: count(busy as u64) / count(looks.len() as u64),
        })
    }
}
