//! Flags and the variables behind them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Display};
use std::str::FromStr;

/// What is wrong with a variable that has other bytes than those of text.
const NO_TEXT: &str = "its value is not UTF-8 text; set it again, or unset it";

/// What the environment says: the one place where it is read.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    /// Those whose values are no text, by name.
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// The environment of this process. Names that are no Unicode are passed over: nothing of
    /// ours is called so.
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

    /// A variable that is set and not empty. One that is no text is passed over: it must be
    /// of no consequence that it is.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that is set and not empty.
    ///
    /// # Errors
    /// If it is not text: ignoring it would ignore what the user asked for.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, UsageError> {
        self.readable(|unreadable| unreadable == name)?;
        Ok(self.get(name))
    }

    /// Whether all variables with certain names are text.
    ///
    /// # Errors
    /// If one of them is not.
    pub(super) fn readable(&self, named: impl Fn(&str) -> bool) -> Result<(), UsageError> {
        match self.unreadable.iter().find(|name| named(name)) {
            None => Ok(()),
            Some(name) => Err(UsageError(format!("{name}: {NO_TEXT}"))),
        }
    }

    /// Every variable, also those that are empty.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the terminal, if there is one, can wipe a line: `TERM` names a kind of
    /// terminal, and not `dumb`.
    pub fn has_cursor(&self) -> bool {
        self.get("TERM").is_some_and(|kind| kind != "dumb")
    }

    /// Whether a terminal may be written to in colours. Source: <https://no-color.org>.
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

/// A flag and the variable that stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// With its dashes.
    pub flag: &'static str,
    /// In the environment.
    pub variable: &'static str,
}

impl Setting {
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

    /// The value, which must be there.
    ///
    /// # Errors
    /// If it is not there or not of its kind.
    pub fn required<T>(self, flag: Option<&str>, environment: &Environment) -> Result<T, UsageError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.value(flag, environment)?.ok_or_else(|| self.refuse("is required and not set"))
    }

    /// Says that the setting's value is wrong, and why.
    pub fn refuse(self, why: impl Display) -> UsageError {
        UsageError(format!("{self}: {why}"))
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.flag, self.variable)
    }
}

/// A value that Batch would have replaced, had it been given the parameter.
pub(super) fn unset_parameter(text: &str, wherever: impl Display) -> UsageError {
    let name = text.trim_start_matches("Ref::");
    UsageError(format!(
        "{wherever}: the literal `{text}` arrived, so the Batch job has no parameter `{name}`; give \
         it a default under `parameters` in the job definition, or a value when the job is submitted"
    ))
}

/// What is wrong with flags or variables, for the person who set them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(pub(super) String);

impl Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Yes or no, for flags whose variable needs a value.
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
