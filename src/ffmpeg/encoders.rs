//! The encoders that an FFmpeg has.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::command::{encoder, isolated};
use crate::request::Codec;

/// Builds the command that lists the encoders. [`Encoders::push`] takes each line of its output.
pub fn list_encoders(ffmpeg: &Path, environment: &[(String, String)]) -> Command {
    let mut command = isolated(ffmpeg, environment);
    command.arg("-encoders");
    command
}

/// What the command has printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoders {
    /// The version of FFmpeg.
    pub version: Option<String>,
    names: BTreeSet<String>,
}

impl Encoders {
    /// Adds a line of standard output or of standard error.
    pub fn push(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("ffmpeg"), Some("version"), Some(version)) => {
                self.version = Some(version.to_owned());
            }
            // ` V....D libx264  libx264 H.264 / AVC / MPEG-4 AVC (codec h264)`
            (Some(flags), Some(name), _) if flags.len() == 6 && name != "=" => {
                self.names.insert(name.to_owned());
            }
            _ => {}
        }
    }

    /// The codecs for which it has no encoder.
    pub fn lacking(&self) -> impl Iterator<Item = Codec> {
        Codec::ALL.into_iter().filter(|codec| !self.names.contains(encoder(*codec)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_without_an_encoder_are_found() {
        let mut encoders = Encoders::default();
        for line in [
            "ffmpeg version 7.1.5-0+deb13u1 Copyright (c) 2000-2026 the FFmpeg developers",
            "Encoders:",
            " V..... = Video",
            " ------",
            " V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC (codec h264)",
            " VFS... prores_ks            Apple ProRes (iCodec Pro) (codec prores)",
            " V....D gif                  GIF (Graphics Interchange Format)",
            " A....D aac                  AAC (Advanced Audio Coding)",
        ] {
            encoders.push(line);
        }
        assert_eq!(encoders.version.as_deref(), Some("7.1.5-0+deb13u1"));
        let lacking: Vec<_> = encoders.lacking().collect();
        assert_eq!(lacking, [Codec::H265, Codec::Av1, Codec::Vp9, Codec::DnxHr]);
    }
}
