//! The Python that a job adds to Blender, from flags and variables.

use super::Resolver;
use crate::cli::args::UserCodeArgs;
use crate::cli::names::{ADDON, ADDONS_DIR, PYTHON_FILE};
use crate::cli::setting::{Setting, UsageError};
use crate::request::UserCode;

impl Resolver<'_> {
    /// The user's Python.
    pub fn user_code(&self, args: &UserCodeArgs) -> Result<UserCode, UsageError> {
        let env = self.environment;
        Ok(UserCode {
            scripts: PYTHON_FILE.value(joined(&args.python).as_deref(), env)?.unwrap_or_default(),
            addons: ADDON.value(joined(&args.addon).as_deref(), env)?.unwrap_or_default(),
            addons_dir: ADDONS_DIR.value(args.addons_dir.as_deref(), env)?,
        })
    }
}

/// The flags that are given, in the form of their variables, for jobs that get no flags.
pub(in crate::cli) fn as_variables(args: &UserCodeArgs) -> [(Setting, Option<String>); 3] {
    [
        (PYTHON_FILE, joined(&args.python)),
        (ADDON, joined(&args.addon)),
        (ADDONS_DIR, args.addons_dir.clone()),
    ]
}

fn joined(given: &[String]) -> Option<String> {
    (!given.is_empty()).then(|| given.join(","))
}
