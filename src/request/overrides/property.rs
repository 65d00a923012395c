//! Any property of the scene, by its path: `cycles.max_bounces=4`.
//!
//! Paths have the syntax of Python in Blender's tooltips, but nothing evaluates them as such: they
//! are parsed here into steps, and the setup script follows only properties that Blender declares.

use std::str::{Chars, FromStr};

use serde::Serialize;

use crate::request::ValueError;

/// A property and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PropertySetting {
    /// The way from the scene to the property; not empty.
    path: Vec<PathStep>,
    /// The value as text. The type of the property says how it is read.
    value: String,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum PathStep {
    /// To a property: `cycles`.
    Property(String),
    /// To an item of a collection, by its name: `["ViewLayer"]`.
    Key {
        /// The name.
        key: String,
    },
    /// To an item of a collection, by its position: `[0]`.
    Index {
        /// The position, from 0.
        index: u32,
    },
}

/// Settings of properties, separated by semicolons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PropertySettings(Vec<PropertySetting>);

impl PropertySettings {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Properties that the worker itself sets, and the flags that say how.
const OF_THE_WORKER: [(&str, &str); 8] = [
    ("camera", "--camera"),
    ("frame_start", "--frames"),
    ("frame_end", "--frames"),
    ("frame_step", "--frames"),
    ("render.engine", "--engine"),
    ("render.filepath", "--output-uri"),
    ("render.image_settings.file_format", "--format"),
    ("render.image_settings.media_type", "--format"),
];

const WANTED: &str = "PATH=VALUE, where the path begins at the scene, such as cycles.max_bounces=4 \
                      or view_layers[\"ViewLayer\"].use_pass_z=true; several are separated by \
                      semicolons";

impl FromStr for PropertySettings {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        split_outside_quotes(text, ';')
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for PropertySetting {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ValueError::new(text, WANTED);
        let parts = split_outside_quotes(text, '=');
        let path = parts.first().copied().unwrap_or_default();
        let value = text.get(path.len() + 1..).ok_or_else(malformed)?.trim();
        let path = path.trim();
        if let Some((_, flag)) = OF_THE_WORKER.into_iter().find(|(name, _)| *name == path) {
            return Err(ValueError::new(text, &format!("{flag} instead")));
        }
        let path = steps(path).ok_or_else(malformed)?;
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Ok(Self { path, value: unquoted.unwrap_or(value).to_owned() })
    }
}

/// Parses `view_layers["ViewLayer"].use_pass_z`; `None` if it is no path.
fn steps(path: &str) -> Option<Vec<PathStep>> {
    let mut steps = Vec::new();
    let mut rest = path.chars();
    loop {
        steps.push(PathStep::Property(identifier(&mut rest)?));
        loop {
            match rest.next() {
                None => return Some(steps),
                Some('.') => break,
                Some('[') => steps.push(subscript(&mut rest)?),
                Some(_) => return None,
            }
        }
    }
}

/// Takes the name of a property from the start.
fn identifier(rest: &mut Chars<'_>) -> Option<String> {
    let text = rest.as_str();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, after) = text.split_at_checked(end)?;
    *rest = after.chars();
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| name.to_owned())
}

/// Takes `"ViewLayer"]` or `0]` from the start.
fn subscript(rest: &mut Chars<'_>) -> Option<PathStep> {
    let text = rest.as_str();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (step, after) = if let Some(quote) = quote {
        let (key, after) = text.get(1..)?.split_once(quote)?;
        (PathStep::Key { key: key.to_owned() }, after.strip_prefix(']')?)
    } else {
        let (index, after) = text.split_once(']')?;
        let digits = index.bytes().all(|b| b.is_ascii_digit());
        (PathStep::Index { index: index.parse().ok().filter(|_| digits)? }, after)
    };
    *rest = after.chars();
    Some(step)
}

/// Splits `text` at a separator, but not between quotation marks.
fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut quote, mut start, mut parts) = (None, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == separator => {
                parts.extend(text.get(start..at));
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        serde_json::to_string(&text.parse::<PropertySettings>().unwrap()).unwrap()
    }

    #[test]
    fn a_path_is_a_list_of_steps() {
        assert_eq!(
            parsed("cycles.max_bounces=4"),
            r#"[{"path":["cycles","max_bounces"],"value":"4"}]"#
        );
        assert_eq!(
            parsed(r#"view_layers["a.b;c=]"].use_pass_z = true"#),
            r#"[{"path":["view_layers",{"key":"a.b;c=]"},"use_pass_z"],"value":"true"}]"#
        );
        assert_eq!(
            parsed("objects['It'][0].location=1,2,3;render.stamp_note_text=\"a;b=c\""),
            r#"[{"path":["objects",{"key":"It"},{"index":0},"location"],"value":"1,2,3"},{"path":["render","stamp_note_text"],"value":"a;b=c"}]"#
        );
        assert_eq!(
            parsed("render.stamp_note_text="),
            r#"[{"path":["render","stamp_note_text"],"value":""}]"#
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in [
            "",
            "cycles.max_bounces",
            "=4",
            "cycles.=4",
            ".cycles=4",
            "cycles..a=1",
            "_a=1",
            "a.__class__=1",
            "a()=1",
            "a[=1",
            "a[]=1",
            "a[-1]=1",
            "a[\"b]=1",
            "a[b]=1",
            "a[0]b=1",
            "a b=1",
            "a=1;",
        ] {
            assert!(bad.parse::<PropertySettings>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_worker_sets_has_flags_of_its_own() {
        let error = "render.filepath=/x".parse::<PropertySettings>().unwrap_err();
        assert!(error.to_string().contains("--output-uri"), "{error}");
    }
}
