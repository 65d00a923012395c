//! FFmpeg's exit status and last log lines → the [`Cause`] of its failure.

use std::collections::VecDeque;

use thiserror::Error;

use crate::ending::{Ending, Killer};

/// How many of the log's last lines are kept.
const MAX_LINES: usize = 12;

const SIGKILL: i32 = 9;

/// Why FFmpeg failed. The variants differ in who must act, and so in the exit code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Cause {
    /// This FFmpeg lacks an encoder or filter.
    #[error("this FFmpeg lacks an encoder or filter")]
    Lacking,
    /// The scratch disk is full or cannot be written.
    #[error("the scratch disk is full or cannot be written")]
    Disk,
    /// FFmpeg cannot decode the file with the sound.
    #[error("FFmpeg cannot decode the sound")]
    Sound,
    /// FFmpeg was killed from outside.
    #[error("FFmpeg was {0}")]
    Killed(Killer),
    /// FFmpeg failed in another way, described here.
    #[error("{0}")]
    Failed(String),
}

/// The last lines that FFmpeg printed on standard error, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct LogTail(VecDeque<String>);

impl LogTail {
    /// Adds the next line.
    pub fn push(&mut self, line: &str) {
        if self.0.len() == MAX_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line.to_owned());
    }

    /// The lines to quote.
    pub fn excerpt(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }

    /// The cause of FFmpeg's failure. `killer` applies if FFmpeg ended by SIGKILL.
    pub fn diagnose(&self, ending: Ending, killer: Killer) -> Cause {
        let mentions = |text: &str| self.0.iter().any(|line| line.contains(text));
        let lacking =
            ["Unknown encoder", "Unknown decoder", "No such filter", "Unrecognized option"];
        if lacking.into_iter().any(mentions) {
            return Cause::Lacking;
        }
        if mentions("No space left on device") || mentions("Read-only file system") {
            return Cause::Disk;
        }
        // The frames are raw: nothing else is decoded. The second message is that of a file without
        // sound.
        let undecodable = [
            "Invalid data found when processing input",
            "matches no streams",
            "Error while decoding",
            "Error submitting packet to decoder",
        ];
        if undecodable.into_iter().any(mentions) {
            return Cause::Sound;
        }
        match (ending, ending.signal()) {
            (_, Some(SIGKILL)) => Cause::Killed(killer),
            (_, Some(signal)) => Cause::Failed(format!("FFmpeg crashed (signal {signal})")),
            (Ending::Code(0), None) => {
                Cause::Failed("FFmpeg ended with exit status 0, but without a result".to_owned())
            }
            (ending, None) => Cause::Failed(format!("FFmpeg ended with {ending}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_explain_more_than_the_exit_status() {
        let table = [
            (Ending::Code(1), "[error] Unknown encoder 'libx264'", Cause::Lacking),
            (Ending::Code(8), "[error] Unrecognized option 'apply_trc'.", Cause::Lacking),
            (
                Ending::Code(1),
                "[fatal] av_interleaved_write_frame(): No space left on device",
                Cause::Disk,
            ),
            (
                Ending::Code(69),
                "[error] Error while decoding stream #1:0: Invalid data",
                Cause::Sound,
            ),
            (
                Ending::Code(1),
                "[error] /s/sound: Invalid data found when processing input",
                Cause::Sound,
            ),
            (Ending::Code(1), "[fatal] Stream map '1:a:0' matches no streams.", Cause::Sound),
            (Ending::Signal(9), "", Cause::Killed(Killer::Unknown)),
            (Ending::Signal(11), "", Cause::Failed("FFmpeg crashed (signal 11)".into())),
            (Ending::Code(1), "?", Cause::Failed("FFmpeg ended with exit status 1".into())),
        ];
        for (ending, line, cause) in table {
            let mut tail = LogTail::default();
            tail.push(line);
            assert_eq!(tail.diagnose(ending, Killer::Unknown), cause, "{line}");
        }
    }
}
