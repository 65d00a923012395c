//! FFmpeg's `-progress` output: blocks of `key=value` lines, one block every half second.

/// The progress of an encode, at the end of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Frames encoded so far.
    pub frames: u64,
    /// Frames that FFmpeg duplicated to keep the frame rate; must stay 0.
    pub duplicated: u64,
    /// Frames that FFmpeg dropped to keep the frame rate; must stay 0.
    pub dropped: u64,
}

/// Parser of the output, line by line.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgressParser {
    block: Progress,
}

impl ProgressParser {
    /// Parses the next line. Returns the progress after the last line of a block.
    pub fn push(&mut self, line: &str) -> Option<Progress> {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        match key.trim() {
            "frame" => self.block.frames = value.parse().ok()?,
            "dup_frames" => self.block.duplicated = value.parse().ok()?,
            "drop_frames" => self.block.dropped = value.parse().ok()?,
            "progress" => return Some(self.block),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_with_its_progress_line() {
        let mut parser = ProgressParser::default();
        let mut blocks = Vec::new();
        for line in [
            "frame=12",
            "fps=0.00",
            "stream_0_0_q=-0.0",
            "bitrate=N/A",
            "dup_frames=1",
            "drop_frames=0",
            "speed=N/A",
            "progress=continue",
            "frame=24",
            "progress=end",
            "junk",
            "=",
        ] {
            blocks.extend(parser.push(line));
        }
        assert_eq!(
            blocks,
            [
                Progress { frames: 12, duplicated: 1, dropped: 0 },
                Progress { frames: 24, duplicated: 1, dropped: 0 },
            ]
        );
    }
}
