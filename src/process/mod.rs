//! Processes: being PID 1, being told to stop, and running a child that may print anything, hang
//! or die. Knows nothing of Blender or FFmpeg.
//!
//! Five rules:
//!
//! 1. *The worker first puts its own signals and descriptors in order*
//!    ([`startup::signals`], [`startup::descriptors`]). Children inherit them, so that every
//!    child has them clean.
//! 2. *The guard only forwards and reaps* ([`guard`]). It is PID 1, or else a parent of the
//!    worker. The worker is its child, and can wait for its own children without losing a
//!    status. When one of the two is killed, the other ends what is left.
//! 3. *A child is a process group* ([`supervisor`]). It is signalled as a whole, and nothing of
//!    it is left when it is reported as ended. [`supervisor::watchdog`] tells whether it still
//!    does anything, [`supervisor::memory`] whether the kernel killed it for lack of memory.
//! 4. *No child escapes* ([`guard::orphans`]). A process that left the group is still a
//!    descendant of the worker, and is ended with the child.
//! 5. *A child is not trusted* ([`sandbox`], [`startup::undumpable`]). It reaches its own files,
//!    and neither the network nor the worker.

pub mod guard;
pub mod sandbox;
pub mod shutdown;
pub mod startup;
pub mod supervisor;
mod system;
mod table;
