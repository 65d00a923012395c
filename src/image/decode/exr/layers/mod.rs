//! The choice of the channels that are the picture.
//!
//! Channels have names like `R`, or like `ViewLayer.Combined.R` in files of several layers. In a
//! file of several views, the view is the last name before the channel's, as in
//! `ViewLayer.Combined.left.R`, and channels without a view belong to the first. A part can have
//! the name of a layer or a view, too ([multi-view files][views]).
//!
//! The picture is in plain channels if the file has them. Blender's multilayer files have none: the
//! picture is the pass `Combined` of a view layer. Blender before 5 adds a layer `Composite`, which
//! is the finished picture, if the scene has a compositor.
//!
//! [views]: https://openexr.com/en/latest/MultiViewOpenEXR.html

mod groups;

use super::header::Headers;
use crate::image::Damage;
use groups::groups;
pub use groups::{Group, Shape};

/// The most layers that an error lists.
const MOST_LISTED: usize = 32;

/// Returns the channels that are the picture: those that `layer` names, if it does.
pub fn choose(headers: &Headers, layer: Option<&str>) -> Result<Group, Damage> {
    let mut groups = groups(headers);
    let found = match layer {
        None => best(&groups, |group| group.in_first_view),
        Some(name) => named(&groups, name),
    };
    if let Some(index) = found {
        return Ok(groups.swap_remove(index));
    }
    let Some(name) = layer else {
        let channels = list(headers, &groups).join(", ");
        let what = format!("an OpenEXR image whose channels ({channels}) are no picture");
        return Err(Damage::Unsupported(what));
    };
    channel(headers, name)
        .ok_or_else(|| Damage::NoLayer { name: name.to_owned(), layers: list(headers, &groups) })
}

/// Kinds of groups, from the most likely to be the intended picture to the least. Of two groups of
/// the same rank, the first in the file is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    PlainComposite,
    PlainCombined,
    Plain,
    Composite,
    Combined,
    Colour,
    Grey,
    Data,
}

impl Rank {
    fn of(group: &Group) -> Self {
        let composite = group.name == "Composite.Combined";
        let combined = group.name == "Combined" || group.name.ends_with(".Combined");
        match (group.shape, group.plain) {
            (Shape::Data, _) => Self::Data,
            // Each pass is a part of its own.
            (_, true) if composite => Self::PlainComposite,
            (_, true) if combined => Self::PlainCombined,
            (_, true) => Self::Plain,
            (_, false) if composite => Self::Composite,
            (_, false) if combined => Self::Combined,
            (Shape::Colour, false) => Self::Colour,
            (Shape::Grey, false) => Self::Grey,
        }
    }
}

/// The index of the best of the groups that `counts` accepts.
fn best(groups: &[Group], counts: impl Fn(&Group) -> bool) -> Option<usize> {
    let counted = groups.iter().enumerate().filter(|(_, group)| counts(group));
    counted.min_by_key(|(_, group)| Rank::of(group)).map(|(index, _)| index)
}

/// The index of the group that `name` means: the first of these meanings that the file has.
fn named(groups: &[Group], name: &str) -> Option<usize> {
    let layer = format!("{name}.");
    let pass = format!(".{name}");
    best(groups, |group| group.is_named(name))
        .or_else(|| best(groups, |group| group.view.as_deref() == Some(name)))
        .or_else(|| best(groups, |group| group.part_name.as_deref() == Some(name)))
        .or_else(|| best(groups, |group| group.label().starts_with(&layer)))
        .or_else(|| best(groups, |group| group.label().ends_with(&pass)))
}

/// The single channel of this whole name.
fn channel(headers: &Headers, name: &str) -> Option<Group> {
    headers.parts.iter().enumerate().find_map(|(part, described)| {
        let channel = described.channels.iter().position(|channel| channel.name == name)?;
        Some(Group::of_channel(part, channel, name))
    })
}

/// The names that choose a group, for an error; those of channels if there are none.
fn list(headers: &Headers, groups: &[Group]) -> Vec<String> {
    let label = |group: &Group| Some(group.label()).filter(|label| !label.is_empty());
    let mut names: Vec<_> =
        groups.iter().filter_map(|group| label(group).or_else(|| group.view.clone())).collect();
    if names.is_empty() {
        let channels = headers.parts.iter().flat_map(|part| &part.channels);
        names.extend(channels.map(|channel| channel.name.clone()));
    }
    let more = names.len().saturating_sub(MOST_LISTED);
    names.truncate(MOST_LISTED);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names
}
