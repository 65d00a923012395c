//! The signal state that this process starts with and hands to its children.

use nix::sys::signal::{SigSet, Signal};

use crate::process::system;

/// Gives every signal its default action and unblocks all of them, but for two kinds that
/// stay ignored: SIGPIPE, as the Rust runtime wants it (which resets it in children), and
/// those that a shell has ignored by programs that are to go on without it: SIGHUP (`nohup`),
/// SIGINT and SIGQUIT (`command &` in a script). The result is which of these were ignored.
/// Children ignore them, too, unless they decide otherwise.
///
/// Whoever started us may have ignored or blocked others (a careless supervisor, or
/// [`guard`](crate::process::guard)); both survive exec, and Blender would then be deaf to SIGTERM.
/// Must run before threads or handlers exist.
pub fn reset() -> Vec<Signal> {
    let mut ignored = Vec::new();
    for which in Signal::iterator() {
        if matches!(which, Signal::SIGKILL | Signal::SIGSTOP | Signal::SIGPIPE) {
            continue;
        }
        let was_ignored = system::set_action(which, false) == Some(true);
        let is_the_users = matches!(which, Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT);
        if was_ignored && is_the_users {
            system::set_action(which, true);
            ignored.push(which);
        }
    }
    // Fails only for an invalid argument, which SIG_SETMASK is not.
    _ = SigSet::empty().thread_set_mask();
    ignored
}
