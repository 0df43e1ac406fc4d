//! The limits of the machine and the process, against what the conversations need.

use rustix::process::{Resource, getrlimit};

use crate::domain::finding::Finding;

/// Room for database, log, the HTTP port with its callers, and both connections to the broker.
const FILES_BASE: u64 = 64;

/// What an event stream over TLS costs in memory, as measured with 50,000 of them.
const STREAM_BYTES: u64 = 45 << 10;

/// What the worker is to carry.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Conversations at once, each of which holds a stream open.
    pub conversations: u64,
    /// Calls at once, of all connections together.
    pub calls: u64,
}

/// Looks at open files, memory and cores of this process.
pub fn examine(load: Load) -> Vec<Finding> {
    vec![files(load), memory(load), cores()]
}

fn files(
    Load {
        conversations,
        calls,
    }: Load,
) -> Finding {
    let needed = conversations + calls + FILES_BASE;
    let limit = getrlimit(Resource::Nofile);
    let what = format!("{conversations} conversations at once need {needed} open files");
    match limit.current {
        None => Finding::good("open files", format!("{what}; there is no limit")),
        Some(limit) if limit >= needed => Finding::good("open files", format!("{what}; {limit} are allowed")),
        Some(limit) => Finding::wrong(
            "open files",
            format!("{what}, and {limit} are allowed; raise LimitNOFILE in the unit of the worker, or in the shell that starts it"),
        )
        .fixed_by(format!("ulimit -n {}", needed.next_power_of_two())),
    }
}

fn memory(Load { conversations, .. }: Load) -> Finding {
    let needed = conversations * STREAM_BYTES;
    let mib = |bytes: u64| bytes >> 20;
    match available() {
        None => Finding::unsure("memory", "the system does not say how much there is"),
        Some(there) if there < needed => Finding::wrong(
            "memory",
            format!(
                "{conversations} conversations at once need {} MiB, and {} MiB are there; give the worker more, or expect fewer",
                mib(needed),
                mib(there)
            ),
        ),
        Some(there) => Finding::good(
            "memory",
            format!(
                "{} MiB, of which {conversations} conversations need {}",
                mib(there),
                mib(needed)
            ),
        ),
    }
}

/// What a container or the machine has.
fn available() -> Option<u64> {
    let number = |path: &str| {
        std::fs::read_to_string(path)
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let of_group = number("/sys/fs/cgroup/memory.max");
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("MemTotal:"))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib << 10)
        });
    match (of_group, machine) {
        (Some(group), Some(machine)) => Some(group.min(machine)),
        (one, other) => one.or(other),
    }
}

fn cores() -> Finding {
    match std::thread::available_parallelism() {
        Ok(cores) => Finding::good("cores", format!("{cores}")),
        Err(error) => Finding::unsure(
            "cores",
            format!("the system does not say how many there are ({error})"),
        ),
    }
}
