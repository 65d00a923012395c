//! Protects the secrets of this process from other processes.

use nix::sys::prctl;

/// Denies other processes of the same user access to this one's memory, environment and
/// descriptors, until it executes another program (`PR_SET_DUMPABLE` in `prctl(2)`).
///
/// They contain credentials, and Blender runs as the same user. From now on root owns the files
/// in `/proc/self`, but the process itself can still use them.
pub fn make() {
    // Fails only for an invalid argument.
    _ = prctl::set_dumpable(false);
}
