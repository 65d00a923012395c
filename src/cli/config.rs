//! The file with settings (`--config`): below variables, above defaults.
//!
//! It is TOML without tables. A key is the name of a flag without its dashes, or that of its variable.

use std::fs;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::names::{ALL, CONFIG};
use super::setting::{Environment, Setting, UsageError};

/// How alike two names must be, so that one is meant by the other.
const ALIKE: f64 = 0.8;

/// The settings of a file.
#[derive(Debug, Default)]
pub(super) struct Config {
    file: String,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    setting: Setting,
    value: String,
    line: usize,
}

impl Config {
    /// The settings of the file that the flag or its variable names; none if there is none.
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or has a name that no setting has.
    pub fn of(flag: Option<&str>, environment: &Environment) -> Result<Self, UsageError> {
        let Some(file) = CONFIG.value::<String>(flag, environment)? else {
            return Ok(Self::default());
        };
        let text = fs::read_to_string(&file)
            .map_err(|error| CONFIG.refuse(format_args!("cannot read {file}: {error}")))?;
        Self::parse(file, &text)
    }

    fn parse(file: String, text: &str) -> Result<Self, UsageError> {
        let at = |span: Range<usize>, why: &dyn std::fmt::Display| {
            CONFIG.refuse(format_args!("line {} of {file}: {why}", line(text, span.start)))
        };
        let table = DeTable::parse(text)
            .map_err(|error| at(error.span().unwrap_or_default(), &error.message()))?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut pairs: Vec<_> = table.get_ref().iter().collect();
        // In the order of the lines, so that the later one of two is the mistake.
        pairs.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in pairs {
            let name = key.get_ref();
            let setting = find(name).map_err(|why| at(key.span(), &why))?;
            if entries.iter().any(|entry| entry.setting == setting) {
                return Err(at(key.span(), &format_args!("{setting} is set twice")));
            }
            let value = scalar(value.get_ref()).ok_or_else(|| {
                let why =
                    "must be a text, a number, true or false; write a list as the variable has it";
                at(value.span(), &format_args!("{name} {why}"))
            })?;
            entries.push(Entry { setting, value, line: line(text, key.span().start) });
        }
        Ok(Self { file, entries })
    }

    /// The environment in which these settings stand in for variables that are not set.
    pub fn beneath(&self, environment: &Environment) -> Environment {
        let settings = self.entries.iter();
        environment.with_defaults(settings.map(|entry| (entry.setting.variable, &*entry.value)))
    }

    /// The error with the line that set the value, if it is about a value of this file.
    pub fn located(&self, error: UsageError) -> UsageError {
        let UsageError(text) = &error;
        let is_of = |entry: &&Entry| {
            text.contains(&format!("({})", entry.setting.variable)) && text.contains(&entry.value)
        };
        match self.entries.iter().find(is_of) {
            None => error,
            Some(Entry { line, .. }) => {
                UsageError(format!("{text} (set in line {line} of {})", self.file))
            }
        }
    }
}

/// The setting of a name.
///
/// # Errors
/// With the nearest name, if there is none.
fn find(name: &str) -> Result<Setting, String> {
    let names = |setting: &Setting| [setting.flag.trim_start_matches('-'), setting.variable];
    let known = || ALL.into_iter().filter(|setting| *setting != CONFIG);
    if let Some(setting) = known().find(|setting| names(setting).contains(&name)) {
        return Ok(setting);
    }
    let all = known().flat_map(|setting| names(&setting));
    let likeness = all.map(|known| (strsim::jaro_winkler(name, known), known));
    let nearest = likeness.max_by(|a, b| a.0.total_cmp(&b.0));
    Err(match nearest.filter(|(likeness, _)| *likeness >= ALIKE) {
        Some((_, nearest)) => format!("there is no setting {name:?}; {nearest} may be meant"),
        None => format!("there is no setting {name:?}; docs/reference.md lists all flags"),
    })
}

/// A single value as a variable would have it.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    Some(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => return None,
    })
}

/// The number of the line at a place of a text, from 1.
fn line(text: &str, place: usize) -> usize {
    1 + text.bytes().take(place).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse("farm.toml".to_owned(), text).map_err(|error| error.to_string())
    }

    #[test]
    fn names_of_flags_and_variables_set_values() {
        let text =
            "# the farm\njob-queue = \"spot\"\nF_PER_JOB = 10\nno-previews = true\nfps = 23.976\n";
        let config = parse(text).unwrap();
        let environment = Environment::from([("F_PER_JOB", "5"), ("FPS", "")]);
        let environment = config.beneath(&environment);
        for (variable, value) in
            [("JOB_QUEUE", "spot"), ("F_PER_JOB", "5"), ("NO_PREVIEWS", "true"), ("FPS", "23.976")]
        {
            assert_eq!(environment.get(variable), Some(value), "{variable}");
        }
        let refused = UsageError("--fps (FPS): `23.976` is refused".to_owned());
        let located = config.located(refused).to_string();
        assert_eq!(located, "--fps (FPS): `23.976` is refused (set in line 5 of farm.toml)");
        let other = UsageError("--fps (FPS): `0` is refused".to_owned());
        assert_eq!(config.located(other.clone()), other);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, expected) in [
            (
                "fps = 1\njob-que = \"a\"",
                "line 2 of farm.toml: there is no setting \"job-que\"; job-queue may",
            ),
            ("F_PER_JOBS = 1", "F_PER_JOB may be meant"),
            ("zzz = 1", "there is no setting \"zzz\"; docs/reference.md"),
            ("fps = 1\n\nFPS = 2", "line 3 of farm.toml: --fps (FPS) is set twice"),
            ("allow-read = [\"a\"]", "allow-read must be a text, a number, true or false"),
            ("[submit]\nfps = 1", "there is no setting \"submit\""),
            ("config = \"other.toml\"", "there is no setting \"config\""),
            ("fps = 1\nengine CYCLES", "line 2 of farm.toml: "),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("--config (CONFIG_FILE): "), "{error}");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
