//! Settings: flags, the variables behind them, and the environment.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Display};
use std::str::FromStr;

use thiserror::Error;

use crate::request::Scheduler;

/// The error for a variable that is not UTF-8.
const NO_TEXT: &str = "its value is not UTF-8 text; set it again, or unset it";

/// The variables of the environment. No other code reads the worker's settings from it; the AWS SDK
/// reads its own.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    /// The names of variables whose values are not UTF-8.
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// The environment of this process. Names that are not UTF-8 are ignored: no setting has one.
    pub fn current() -> Self {
        let mut environment = Self::default();
        #[expect(clippy::disallowed_methods, reason = "the one place where it is read")]
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => _ = environment.variables.insert(name, value),
                (Ok(name), Err(_)) => _ = environment.unreadable.insert(name),
                (Err(_), _) => {}
            }
        }
        environment
    }

    /// A variable that is set and not empty. One that is not UTF-8 is ignored, so this is only for
    /// variables where that does no harm.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that is set and not empty.
    ///
    /// # Errors
    /// If it is not UTF-8: ignoring it would ignore what the user asked for.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, UsageError> {
        self.readable(|unreadable| unreadable == name)?;
        Ok(self.get(name))
    }

    /// Checks that all variables with certain names are UTF-8.
    ///
    /// # Errors
    /// If one of them is not.
    pub(super) fn readable(&self, named: impl Fn(&str) -> bool) -> Result<(), UsageError> {
        match self.unreadable.iter().find(|name| named(name)) {
            None => Ok(()),
            Some(name) => Err(UsageError(format!("{name}: {NO_TEXT}"))),
        }
    }

    /// The same variables, with these where one is not set or empty.
    pub(super) fn with_defaults<'a>(
        &self,
        defaults: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut all = self.clone();
        for (name, value) in defaults {
            if self.get(name).is_none() && !self.unreadable.contains(name) {
                all.variables.insert(name.to_owned(), value.to_owned());
            }
        }
        all
    }

    /// Every variable, also those that are empty.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a scheduler has started this process as a job or a child of an array job.
    pub fn is_scheduled(&self) -> bool {
        let variable = |scheduler| match scheduler {
            Scheduler::AwsBatch => "AWS_BATCH_JOB_ID",
            // SLURM_JOB_ID is set in an interactive shell, too.
            Scheduler::Slurm | Scheduler::Kubernetes | Scheduler::GoogleBatch => {
                scheduler.index_variable()
            }
        };
        Scheduler::ALL.into_iter().any(|scheduler| self.get(variable(scheduler)).is_some())
    }

    /// Whether the terminal can erase a line: `TERM` is set, and is not `dumb`.
    pub fn has_cursor(&self) -> bool {
        self.get("TERM").is_some_and(|kind| kind != "dumb")
    }

    /// Whether output to a terminal may have colours. Source: <https://no-color.org>.
    pub fn wants_colour(&self) -> bool {
        self.get("NO_COLOR").is_none()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().collect(), unreadable: BTreeSet::new() }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        variables.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect()
    }
}

/// A flag, and the variable that stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// With its dashes.
    pub flag: &'static str,
    /// In the environment.
    pub variable: &'static str,
    /// What applies where neither is given.
    pub default: DefaultValue,
}

/// What applies where a setting is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// Nothing: the setting has no effect.
    None,
    /// Nothing: the setting must be given.
    Required,
    /// A value, as it could be typed.
    Value(&'static str),
    /// A value that depends on something else, in words.
    Depends(&'static str),
}

impl Setting {
    /// A setting that has no effect where it is not given.
    pub const fn new(flag: &'static str, variable: &'static str) -> Self {
        Self { flag, variable, default: DefaultValue::None }
    }

    /// The same setting, with the value that applies where it is not given.
    #[must_use]
    pub const fn or(self, value: &'static str) -> Self {
        Self { default: DefaultValue::Value(value), ..self }
    }

    /// The same setting, whose default depends on something else.
    #[must_use]
    pub const fn or_what(self, words: &'static str) -> Self {
        Self { default: DefaultValue::Depends(words), ..self }
    }

    /// The same setting, which must be given.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { default: DefaultValue::Required, ..self }
    }

    /// The value: of the flag, or else of the variable, or else the default.
    ///
    /// # Errors
    /// If the value is not of its kind, or there is no default.
    pub fn value_or_default<T>(
        self,
        flag: Option<&str>,
        environment: &Environment,
    ) -> Result<T, UsageError>
    where
        T: FromStr,
        T::Err: Display,
    {
        match (self.value(flag, environment)?, self.default) {
            (Some(value), _) => Ok(value),
            (None, DefaultValue::Value(text)) => text.parse().map_err(|error| self.refuse(error)),
            (None, DefaultValue::None | DefaultValue::Required | DefaultValue::Depends(_)) => {
                Err(self.refuse("is required and not set"))
            }
        }
    }

    /// The value: of the flag, or else of the variable.
    ///
    /// # Errors
    /// If the value is not of its kind.
    pub fn value<T>(
        self,
        flag: Option<&str>,
        environment: &Environment,
    ) -> Result<Option<T>, UsageError>
    where
        T: FromStr,
        T::Err: Display,
    {
        if flag.is_none() && environment.unreadable.contains(self.variable) {
            return Err(self.refuse(NO_TEXT));
        }
        let Some(text) = flag.or_else(|| environment.get(self.variable)) else {
            return Ok(None);
        };
        if text.starts_with("Ref::") {
            return Err(unset_parameter(text, self));
        }
        text.parse().map(Some).map_err(|error| self.refuse(error))
    }

    /// The error for a wrong value, and why it is wrong.
    pub fn refuse(self, why: impl Display) -> UsageError {
        UsageError(format!("{self}: {why}"))
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.flag, self.variable)
    }
}

/// The error for a literal `Ref::name`: a parameter that the Batch job was not given.
pub(super) fn unset_parameter(text: &str, wherever: impl Display) -> UsageError {
    let name = text.trim_start_matches("Ref::");
    UsageError(format!(
        "{wherever}: the literal `{text}` arrived, so the Batch job has no parameter `{name}`; give \
         it a default under `parameters` in the job definition, or a value when the job is submitted"
    ))
}

/// An error in flags or variables, in words for the person who set them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UsageError(pub(super) String);

/// The value of a variable whose flag has none.
pub(super) struct Switch(pub(super) bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "true" | "1" | "yes" => Ok(Self(true)),
            "false" | "0" | "no" => Ok(Self(false)),
            _ => Err(format!("`{text}` is refused; give true or false")),
        }
    }
}
