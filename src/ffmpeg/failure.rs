//! Why FFmpeg did not deliver: its ending and its last words → the cause.

use std::collections::VecDeque;
use std::fmt;

use crate::ending::{Ending, Killer};

/// How many of its last lines are quoted.
const TAIL: usize = 12;

/// The decoders of images, as FFmpeg names them where they speak.
const DECODERS: [&str; 6] = ["[png @", "[mjpeg @", "[exr @", "[tiff @", "[webp @", "[vp8 @"];

/// Why FFmpeg failed, in terms of who must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This FFmpeg lacks an encoder, decoder or filter.
    Lacking,
    /// The scratch disk is full or cannot be written.
    Disk,
    /// A frame cannot be decoded.
    Frames,
    /// It was killed from outside.
    Killed(Killer),
    /// It failed otherwise.
    Failed(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacking => f.write_str("this FFmpeg lacks an encoder, decoder or filter"),
            Self::Disk => f.write_str("the scratch disk is full or cannot be written"),
            Self::Frames => f.write_str("FFmpeg cannot decode a frame"),
            Self::Killed(killer) => write!(f, "FFmpeg was {killer}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// The last lines that FFmpeg printed on standard error, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct LogTail(VecDeque<String>);

impl LogTail {
    /// Takes the next line.
    pub fn push(&mut self, line: &str) {
        if self.0.len() == TAIL {
            self.0.pop_front();
        }
        self.0.push_back(line.to_owned());
    }

    /// FFmpeg's own words, to be quoted.
    pub fn last_words(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }

    /// Why FFmpeg failed. `killer` is who did it if it was killed.
    pub fn diagnose(&self, ending: Ending, killer: Killer) -> Cause {
        let said = |text: &str| self.0.iter().any(|line| line.contains(text));
        let lacking =
            ["Unknown encoder", "Unknown decoder", "No such filter", "Unrecognized option"];
        if lacking.into_iter().any(said) {
            return Cause::Lacking;
        }
        if said("No space left on device") || said("Read-only file system") {
            return Cause::Disk;
        }
        // "Error submitting packet to decoder" (7), "Error while decoding stream" (5).
        if said("Error submitting packet to decoder") || said("Error while decoding") {
            return Cause::Frames;
        }
        match (ending, ending.signal()) {
            (_, Some(9)) => Cause::Killed(killer),
            (_, Some(signal)) => Cause::Failed(format!("FFmpeg crashed (signal {signal})")),
            (Ending::Code(0), None) => Cause::Failed("FFmpeg ended as if all was well".to_owned()),
            // Version 5 leaves it at what the decoder said.
            (_, None) if self.decoder_complained() => Cause::Frames,
            (ending, None) => Cause::Failed(format!("FFmpeg ended with {ending}")),
        }
    }

    /// Whether the decoder of the frames had the last word.
    fn decoder_complained(&self) -> bool {
        let last = self.0.back();
        last.is_some_and(|line| DECODERS.iter().any(|name| line.starts_with(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ffmpeg_says_goes_before_how_it_ended() {
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
                "[error] Error while decoding stream #0:0: Invalid data",
                Cause::Frames,
            ),
            (Ending::Code(1), "[png @ 0x5] [error] inflate returned error -3", Cause::Frames),
            (
                Ending::Signal(9),
                "[png @ 0x5] [error] inflate returned error -3",
                Cause::Killed(Killer::Unknown),
            ),
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
