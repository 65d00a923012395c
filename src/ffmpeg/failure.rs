//! FFmpeg's exit status and last log lines → the [`Cause`] of its failure.

use std::collections::VecDeque;
use std::path::Path;

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
    /// The file for the sound has none.
    #[error("the file for the sound has no sound")]
    NoSound,
    /// The container cannot have this frame rate: an MXF at 12, for one.
    #[error("this container cannot have this frame rate")]
    FrameRate,
    /// FFmpeg was killed from outside.
    #[error("FFmpeg was {0}")]
    Killed(Killer),
    /// FFmpeg failed in another way, described here.
    #[error("{0}")]
    Failed(String),
}

/// The last lines that FFmpeg printed on standard error, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct LogTail {
    lines: VecDeque<String>,
    /// The path of the file with the sound, if there is one.
    sound: Option<String>,
}

impl LogTail {
    /// The log of an FFmpeg that reads this file with the sound.
    pub fn of(sound: Option<&Path>) -> Self {
        let sound = sound.map(|file| file.display().to_string());
        Self { lines: VecDeque::new(), sound }
    }

    /// Adds the next line.
    pub fn push(&mut self, line: &str) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The lines to quote.
    pub fn excerpt(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    /// The cause of FFmpeg's failure. `killer` applies if FFmpeg ended by SIGKILL.
    pub fn diagnose(&self, ending: Ending, killer: Killer) -> Cause {
        let mentions = |text: &str| self.lines.iter().any(|line| line.contains(text));
        let lacking =
            ["Unknown encoder", "Unknown decoder", "No such filter", "Unrecognized option"];
        if lacking.into_iter().any(mentions) {
            return Cause::Lacking;
        }
        if mentions("No space left on device") || mentions("Read-only file system") {
            return Cause::Disk;
        }
        if mentions("Unsupported frame rate") {
            return Cause::FrameRate;
        }
        if self.sound.is_some() && mentions("matches no streams") {
            return Cause::NoSound;
        }
        // The frames are raw: FFmpeg decodes nothing but the sound, which is its second input.
        if let Some(sound) = &self.sound
            && [sound, "'1:a:0'", "stream #1:0"].into_iter().any(mentions)
        {
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
            (Ending::Code(1), "[mxf] [error] Unsupported frame rate 5/1.", Cause::FrameRate),
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

    #[test]
    fn a_sound_that_cannot_be_decoded_is_the_cause() {
        for (line, expected) in [
            ("[error] /s/sound: Invalid data found when processing input", Cause::Sound),
            ("[fatal] Stream map '1:a:0' matches no streams.", Cause::NoSound),
            ("[error] Error while decoding stream #1:0: Invalid data", Cause::Sound),
        ] {
            let cause = |mut tail: LogTail| {
                tail.push(line);
                tail.diagnose(Ending::Code(1), Killer::Unknown)
            };
            assert_eq!(cause(LogTail::of(Some(Path::new("/s/sound")))), expected, "{line}");
            assert_ne!(cause(LogTail::default()), expected, "{line}");
        }
    }
}
