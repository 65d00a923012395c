//! Processes: running as PID 1, stopping on request, and supervising a child that may print
//! anything, hang or die. This module knows nothing of Blender or FFmpeg.
//!
//! Five rules:
//!
//! 1. *The worker first resets its own signals and descriptors*
//!    ([`startup::signals`], [`startup::descriptors`]). Children inherit both.
//! 2. *The guard only forwards signals and reaps* ([`guard`]). It is PID 1, or otherwise the
//!    worker's parent. The worker is its child, and can wait for its own children without losing
//!    an exit status. If one of the two is killed, the other kills what remains.
//! 3. *Each child has a process group of its own* ([`supervisor`]). The group is signalled as a
//!    whole, and all of it is gone before the child is reported as ended.
//!    [`supervisor::watchdog`] detects a child that no longer does anything,
//!    [`supervisor::memory`] detects whether the kernel killed it for lack of memory.
//! 4. *No descendant escapes* ([`guard::orphans`]). A process that left the group is still a
//!    descendant of the worker, and is killed with the child.
//! 5. *A child is not trusted* ([`sandbox`], [`startup::undumpable`]). It can access its own
//!    files, but neither the network nor the worker.

pub mod guard;
pub mod sandbox;
pub mod shutdown;
pub mod startup;
pub mod supervisor;
mod system;
mod table;
