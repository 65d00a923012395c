//! Processes: being PID 1, being told to stop, and running a child that may
//! print anything, hang or die. Knows nothing of Blender or FFmpeg.
//!
//! Whether a child still does anything is what [`watchdog`] tells, and whether the kernel
//! killed for want of memory, [`memory`].
//!
//! The theory, in five rules:
//!
//! 1. *The worker's own signal mask, dispositions and descriptors are put in order before
//!    anything else* ([`signals::reset`], [`descriptors::keep`]). Children inherit them, so
//!    everything that is ever started has them clean.
//! 2. *The guard does nothing but forward and reap* ([`guard`]): PID 1, or where that is
//!    another, a parent all the same. The worker proper is its child and can wait for its
//!    own children without losing a status. Whichever of the two is killed, the other one
//!    ends what is left.
//! 3. *A child is a process group* ([`supervisor`]). It is signalled as a whole,
//!    and nothing of it is left when it is reported as ended.
//! 4. *Nobody leaves the family* ([`survivors`]). What left the group is a descendant
//!    of the worker all the same, and is ended with the child.
//! 5. *A child is a stranger* ([`sandbox`], [`secret`]). It reaches its files, and
//!    neither the network nor us.

pub mod guard;
pub mod sandbox;
pub mod shutdown;
pub mod startup;
pub mod supervisor;
mod system;
mod table;
