//! The signal state that this process starts with and hands to its children.

use nix::sys::signal::{SigSet, Signal};

use crate::process::system;

/// Unblocks every signal and restores its default action. Two kinds stay ignored:
///
/// - SIGPIPE, which the Rust runtime ignores here and resets in children.
/// - SIGHUP, SIGINT and SIGQUIT, if they were ignored. A shell ignores them for programs that
///   should outlive it (`nohup`, or `command &` in a script). Children inherit this.
///
/// Returns the signals of the second kind that were ignored.
///
/// The parent may have ignored or blocked others (a careless supervisor, or
/// [`guard`](crate::process::guard)). Both survive exec, and Blender would not react to SIGTERM.
/// Must run before threads or handlers exist.
pub fn reset() -> Vec<Signal> {
    let mut ignored = Vec::new();
    for which in Signal::iterator() {
        if matches!(which, Signal::SIGKILL | Signal::SIGSTOP | Signal::SIGPIPE) {
            continue;
        }
        let was_ignored = system::set_action(which, false) == Some(true);
        let is_set_by_shells = matches!(which, Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT);
        if was_ignored && is_set_by_shells {
            system::set_action(which, true);
            ignored.push(which);
        }
    }
    // Fails only for an invalid argument, which SIG_SETMASK is not.
    _ = SigSet::empty().thread_set_mask();
    ignored
}
