//! What the checks have found, for people and for programs.

use serde::Serialize;

use crate::container::Container;
use crate::error::Error;
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::jobs::{Table, json};

/// What was found, in the order of the checks.
#[derive(Debug, Default)]
pub struct Findings {
    all: Vec<Finding>,
    /// The first lack.
    error: Option<Error>,
}

/// What one check has found.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Finding {
    /// What was checked, such as `Blender`.
    check: &'static str,
    /// Whether it is as it should be.
    state: State,
    /// What was found: a version, a size or a place, or else the problem.
    found: String,
    /// What to do about it; absent if it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is.
    Ok,
    /// Most jobs succeed without it.
    Warning,
    /// Jobs would fail.
    Failed,
}

/// The output of `doctor --json`: what render and stitch need of a machine, and what of it is there.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Output<'a> {
    /// The version of render-worker.
    version: &'static str,
    /// The exit code: 0, or that with which a job would end because of the first failed check.
    exit_code: u8,
    /// The checks, in order.
    checks: &'a [Finding],
}

impl Findings {
    /// Records something that is as it should be.
    pub fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, State::Ok, found.into(), None);
    }

    /// Records something that most jobs do without, and what to do about it.
    pub fn warn(
        &mut self,
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, State::Warning, found.into(), Some(remedy.into()));
    }

    /// Records a lack, as the error with which a job would end.
    pub fn fail(&mut self, check: &'static str, error: Error) {
        let remedy = error.advice(Container::detect().as_ref()).into_owned();
        self.add(check, State::Failed, chain(&error), Some(remedy));
        self.error.get_or_insert(error);
    }

    fn add(&mut self, check: &'static str, state: State, found: String, remedy: Option<String>) {
        self.all.push(Finding { check, state, found, remedy });
    }

    /// Formats the findings for people: a row for each check, and one for each remedy.
    pub fn text(&self) -> String {
        let mut table = Table::default();
        for Finding { check, state, found, remedy } in &self.all {
            let mark = match state {
                State::Ok => "",
                State::Warning => "warning: ",
                State::Failed => "FAILED: ",
            };
            table.row(check, format!("{mark}{found}"));
            if let Some(remedy) = remedy {
                table.row("", format!("-> {remedy}"));
            }
        }
        table.text()
    }

    /// Formats the findings for programs.
    ///
    /// # Errors
    /// [`Error::Internal`] if JSON cannot represent them.
    pub fn json(&self) -> Result<String, Error> {
        let exit = self.error.as_ref().map_or(Exit::Success, Error::exit);
        json(&Output {
            version: env!("CARGO_PKG_VERSION"),
            exit_code: exit.code(),
            checks: &self.all,
        })
    }

    /// The first lack, if there is any.
    ///
    /// # Errors
    /// It.
    pub fn into_result(self) -> Result<(), Error> {
        self.error.map_or(Ok(()), Err)
    }
}
