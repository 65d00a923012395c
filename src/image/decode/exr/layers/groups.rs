//! The channels of a file in groups: those of a layer, or of a pass of a layer, in one view.

use crate::image::decode::exr::header::Headers;
use crate::image::decode::exr::part::Part;

/// Channels that can be shown as a picture.
pub struct Group {
    /// The number of their part.
    pub part: usize,
    pub part_name: Option<String>,
    /// The layer and pass: what comes before the names of the channels. That of the part if nothing
    /// does, and empty if the file has only one part.
    pub name: String,
    /// Whether nothing comes before the names of the channels.
    pub plain: bool,
    /// The view, in files of several.
    pub view: Option<String>,
    /// Whether the view is the one that is shown by default.
    pub in_first_view: bool,
    pub shape: Shape,
    /// The numbers of the channels that are shown as red, green and blue; one that is shown as all
    /// three; or two, which leave blue black.
    pub colours: Vec<usize>,
    pub alpha: Option<usize>,
}

/// What the samples of a group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Red, green and blue.
    Colour,
    /// Luminance.
    Grey,
    /// No colours: depths, normals, ...
    Data,
}

impl Group {
    /// What chooses the group in its file; empty for plain channels of a file of one part.
    pub fn label(&self) -> String {
        match &self.view {
            Some(view) if !self.in_first_view && self.name != *view => join(&self.name, view),
            _ => self.name.clone(),
        }
    }

    /// Whether `wanted` is the whole name of the group, with or without part and view.
    pub fn is_named(&self, wanted: &str) -> bool {
        let with_view = self.view.as_ref().map(|view| join(&self.name, view));
        let with_part = self.part_name.as_ref().map(|part| join(part, &self.name));
        [Some(self.label()), with_view, with_part].iter().flatten().any(|name| name == wanted)
    }

    /// The group of one channel.
    pub fn of_channel(part: usize, channel: usize, name: &str) -> Self {
        Self {
            part,
            part_name: None,
            name: name.to_owned(),
            plain: false,
            view: None,
            in_first_view: true,
            shape: Shape::Data,
            colours: vec![channel],
            alpha: None,
        }
    }
}

/// Returns all groups that can be shown, in the order of the file.
pub fn groups(headers: &Headers) -> Vec<Group> {
    let mut views = headers.views.clone();
    if views.is_empty() {
        views.extend(headers.parts.iter().filter_map(|part| part.view.clone()));
    }
    let several = headers.parts.len() > 1;
    let parts = headers.parts.iter().enumerate();
    parts.flat_map(|(number, part)| of_part(number, part, several, &views)).collect()
}

fn of_part(number: usize, part: &Part, several: bool, views: &[String]) -> Vec<Group> {
    let part_name = part.name.clone().filter(|_| several);
    let mut prefixes: Vec<&str> = Vec::new();
    for channel in &part.channels {
        let (prefix, _) = split(&channel.name);
        // The channels of a group are beside each other, because a file lists them by name, but
        // groups can be nested in each other: `A.R` comes before `A.View.R` and after `A.B`.
        if !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
    }
    let groups = prefixes.into_iter().filter_map(|prefix| {
        let channels: Vec<_> = part
            .channels
            .iter()
            .map(|channel| split(&channel.name))
            .enumerate()
            .filter(|(_, (of, _))| *of == prefix)
            .map(|(index, (_, component))| (component, index))
            .collect();
        let (shape, colours, alpha) = roles(&channels)?;
        let (path, named_view) = match split(prefix) {
            (path, last) if views.iter().any(|view| view == last) => (path, Some(last)),
            _ => (prefix, None),
        };
        let first = views.first();
        let view = named_view.or(part.view.as_deref()).or(first.map(String::as_str));
        let view = view.map(str::to_owned);
        let plain = path.is_empty();
        let name = if plain { part_name.clone().unwrap_or_default() } else { path.to_owned() };
        Some(Group {
            part: number,
            part_name: part_name.clone(),
            name,
            plain,
            in_first_view: view.as_ref() == first,
            view,
            shape,
            colours,
            alpha,
        })
    });
    groups.collect()
}

/// Splits a name before its last dot: what comes before, and the last name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

fn join(first: &str, last: &str) -> String {
    if first.is_empty() { last.to_owned() } else { format!("{first}.{last}") }
}

/// Returns how to show channels of these names and numbers, if they can be shown.
fn roles(channels: &[(&str, usize)]) -> Option<(Shape, Vec<usize>, Option<usize>)> {
    let find = |name: &str| {
        let found = channels.iter().find(|(channel, _)| channel.eq_ignore_ascii_case(name));
        found.map(|&(_, index)| index)
    };
    let all = |names: &[&str]| names.iter().map(|name| find(name)).collect::<Option<Vec<_>>>();
    if find("RY").or(find("BY")).is_some() {
        // Luminance and chroma, whose chroma is subsampled in every known file.
        return None;
    }
    if let Some(colours) = all(&["R", "G", "B"]) {
        return Some((Shape::Colour, colours, find("A")));
    }
    for names in [&["X", "Y", "Z"][..], &["U", "V", "A"], &["U", "V"]] {
        if let Some(colours) = all(names) {
            return Some((Shape::Data, colours, None));
        }
    }
    if let Some(luminance) = find("Y") {
        return Some((Shape::Grey, vec![luminance], find("A")));
    }
    match channels {
        [(_, only)] => Some((Shape::Data, vec![*only], None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_shown_by_their_names() {
        type Roles = Option<(Shape, &'static [usize], Option<usize>)>;
        let cases: [(&[&str], Roles); 10] = [
            (&["A", "B", "G", "R"], Some((Shape::Colour, &[3, 2, 1], Some(0)))),
            (&["B", "G", "R", "Z"], Some((Shape::Colour, &[2, 1, 0], None))),
            (&["a", "b", "g", "r"], Some((Shape::Colour, &[3, 2, 1], Some(0)))),
            (&["A", "Y"], Some((Shape::Grey, &[1], Some(0)))),
            (&["Z"], Some((Shape::Data, &[0], None))),
            (&["W", "X", "Y", "Z"], Some((Shape::Data, &[1, 2, 3], None))),
            (&["A", "U", "V"], Some((Shape::Data, &[1, 2, 0], None))),
            (&["U", "V"], Some((Shape::Data, &[0, 1], None))),
            (&["BY", "RY", "Y"], None),
            (&["id", "mask"], None),
        ];
        for (names, expected) in cases {
            let channels: Vec<_> = names.iter().copied().zip(0..).collect();
            let found = roles(&channels);
            let found =
                found.as_ref().map(|(shape, colours, alpha)| (*shape, colours.as_slice(), *alpha));
            assert_eq!(found, expected, "{names:?}");
        }
    }
}
