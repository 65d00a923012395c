//! The choice of the channels that hold the rendered picture in an OpenEXR file.
//!
//! A file with plain channels `R`, `G`, `B` (or `Y`) needs no choice. Blender's
//! multilayer files name their channels by layer and pass, and the picture is
//! the pass `Combined`: `ViewLayer.Combined.R`. A file written after
//! compositing also has the layer `Composite`, which is the finished picture.
//! Blender 5 leaves out the name of a single layer (`Combined.R`) and can write
//! each pass as a part of its own.

/// The channels of one part that matter for the choice.
#[derive(Default)]
pub(super) struct Channels {
    /// Whether the part has an `R`, a `G` and a `B`.
    primaries: [bool; 3],
    luminance: bool,
    /// The best combined pass so far, with the prefix of its channels.
    combined: Option<(Rank, String)>,
}

/// A picture found in one part.
pub(super) struct Picture {
    pub(super) rank: Rank,
    /// `None` for plain channels.
    pub(super) layer: Option<String>,
    pub(super) part: u32,
}

/// Kinds of pictures, from the least to the most likely to be the intended one.
/// Of two pictures of equal rank, the first in the file wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Combined,
    Composite,
    Plain,
}

impl Channels {
    pub(super) fn add(&mut self, name: &[u8]) {
        match name {
            b"R" => self.primaries[0] = true,
            b"G" => self.primaries[1] = true,
            b"B" => self.primaries[2] = true,
            b"Y" => self.luminance = true,
            _ => self.add_layered(name),
        }
    }

    fn add_layered(&mut self, name: &[u8]) {
        let Some(layer) = str::from_utf8(name).ok().and_then(|name| name.strip_suffix(".R")) else {
            return;
        };
        let rank = if layer == "Composite.Combined" {
            Rank::Composite
        } else if layer == "Combined" || layer.ends_with(".Combined") {
            Rank::Combined
        } else {
            return;
        };
        if self.combined.as_ref().is_none_or(|(best, _)| rank > *best) {
            self.combined = Some((rank, layer.to_owned()));
        }
    }

    /// Returns the picture in these channels of `part`.
    pub(super) fn picture(self, part: u32) -> Option<Picture> {
        if self.luminance || self.primaries == [true; 3] {
            return Some(Picture { rank: Rank::Plain, layer: None, part });
        }
        self.combined.map(|(rank, layer)| Picture { rank, layer: Some(layer), part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_plain_channels_or_a_combined_pass() {
        type Found = Option<Option<&'static str>>;
        let cases: [(&[&str], Found); 9] = [
            (&["R", "G", "B"], Some(None)),
            (&["A", "B", "G", "R", "Z"], Some(None)),
            (&["Y"], Some(None)),
            (&["B", "G", "R", "ViewLayer.Combined.R"], Some(None)),
            (&["ViewLayer.Combined.A", "ViewLayer.Combined.R"], Some(Some("ViewLayer.Combined"))),
            (&["Combined.R", "Depth.Z"], Some(Some("Combined"))),
            (&["A.Combined.R", "B.Combined.R"], Some(Some("A.Combined"))),
            (&["A.Combined.R", "Composite.Combined.R"], Some(Some("Composite.Combined"))),
            (&["R", "ViewLayer.Depth.Z", "NotCombined.R"], None),
        ];
        for (names, expected) in cases {
            let mut channels = Channels::default();
            for name in names {
                channels.add(name.as_bytes());
            }
            let found = channels.picture(0).map(|picture| picture.layer);
            let found = found.as_ref().map(Option::as_deref);
            assert_eq!(found, expected, "{names:?}");
        }
    }
}
