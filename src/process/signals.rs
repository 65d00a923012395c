//! The signal state that this process starts with and hands to its children.

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// Gives every signal its default action and unblocks all of them, except that
/// SIGPIPE stays ignored as the Rust runtime wants it (and resets in children).
///
/// Whoever started us may have ignored or blocked signals (a shell's `nohup`, a
/// supervisor, our own [`init`](super::init)); both survive exec, and Blender
/// would then be deaf to SIGTERM. Must run before threads or handlers exist.
pub fn reset() {
    for which in Signal::iterator() {
        if matches!(which, Signal::SIGKILL | Signal::SIGSTOP | Signal::SIGPIPE) {
            continue;
        }
        #[expect(unsafe_code, reason = "the one way to change a disposition")]
        // SAFETY: SIG_DFL runs no code of ours, and no handler was installed yet
        // that anybody could rely on.
        let result = unsafe { signal(which, SigHandler::SigDfl) };
        // Fails only for signals that cannot be set, which need no reset.
        _ = result;
    }
    // Fails only for an invalid argument, which SIG_SETMASK is not.
    _ = SigSet::empty().thread_set_mask();
}
