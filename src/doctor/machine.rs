//! The machine: its sandbox, processors and memory.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use super::findings::Findings;
use crate::container::Container;
use crate::error::Error;
use crate::process::supervisor::memory::MemoryWatch;
use crate::request::ByteSize;
use crate::worker::Worker;

/// With less memory than this, in bytes, few scenes can be rendered: Blender alone takes about half of
/// it.
const LITTLE_MEMORY: u64 = 1024 * 1024 * 1024;

/// Checks the machine.
pub fn check(worker: &Worker, findings: &mut Findings) {
    let place = if Container::detect().is_some() { ", in a container" } else { "" };
    findings.ok("worker", format!("{}{place}", worker.provenance));
    match worker.sandbox.ensure_required() {
        Err(error) => findings.fail("sandbox", Error::Sandbox(error)),
        Ok(()) if worker.sandbox.is_incomplete() => findings.warn(
            "sandbox",
            in_force(worker),
            "use a kernel with Landlock (5.13 or later) and seccomp, and a container engine that \
             permits both; until then render only scenes that you trust",
        ),
        Ok(()) => findings.ok("sandbox", in_force(worker)),
    }
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let (limit, all) = (MemoryWatch::begin().limit(), memory_of_machine());
    let memory = match (limit, all) {
        (Some(limit), Some(all)) if limit < all => Some((limit, " for this container")),
        (_, Some(all)) => Some((all, "")),
        (limit, None) => limit.map(|limit| (limit, " for this container")),
    };
    match memory {
        Some((bytes, of)) if bytes < LITTLE_MEMORY => findings.warn(
            "memory",
            format!("{}{of}, {cores} cores", ByteSize::from(bytes)),
            "give the container more memory: Blender is ended when it needs more than there is",
        ),
        Some((bytes, of)) => {
            findings.ok("memory", format!("{}{of}, {cores} cores", ByteSize::from(bytes)));
        }
        None => findings.ok("memory", format!("unknown, {cores} cores")),
    }
}

/// The sandbox in force. The row has its name.
fn in_force(worker: &Worker) -> String {
    let text = worker.sandbox.to_string();
    text.strip_prefix("sandbox: ").map_or_else(|| text.clone(), str::to_owned)
}

/// The memory of the machine in bytes: `MemTotal` in `proc_meminfo(5)`.
fn memory_of_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}
