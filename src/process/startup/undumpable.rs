//! What this process knows is nobody else's.

use nix::sys::prctl;

/// Keeps every other process of the same user from this one's memory, environment and
/// descriptors, until it executes another program (`PR_SET_DUMPABLE` in `prctl(2)`).
///
/// Credentials lie there, and Blender is of the same user. From now on the files in
/// `/proc/self` belong to root; the process itself may use them all the same.
pub fn make() {
    // Fails only for an invalid argument.
    _ = prctl::set_dumpable(false);
}
