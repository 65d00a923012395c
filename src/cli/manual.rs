//! The manual, derived from the definitions of flags and settings: `--help`, manual pages and shell
//! completions. A test holds the table of `docs/reference.md` to the same definitions. Also prints
//! the schemas of the documents that programs read.

use clap::{Arg, ArgMatches, Command, CommandFactory as _, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::{Cli, DEALT, OTHER_DEFINITION, WATCH_PAGE};
use super::names;
use super::setting::{DefaultValue, Setting};

/// The subcommand that prints a completion script for a shell.
const COMPLETIONS: &str = "completions";

/// The subcommand that prints a manual page.
const MAN: &str = "man";

/// The subcommand that prints a JSON Schema.
const SCHEMA: &str = "schema";

/// The JSON Schemas, by the name of the document. Tests in `src/jobs` make them.
const SCHEMAS: [(&str, &str); 9] = [
    ("report", include_str!("../../docs/schemas/report.schema.json")),
    ("inspect", include_str!("../../docs/schemas/inspect.schema.json")),
    ("doctor", include_str!("../../docs/schemas/doctor.schema.json")),
    ("submit", include_str!("../../docs/schemas/submit.schema.json")),
    ("status", include_str!("../../docs/schemas/status.schema.json")),
    ("output", include_str!("../../docs/schemas/output.schema.json")),
    ("notification", include_str!("../../docs/schemas/notification.schema.json")),
    ("project", include_str!("../../docs/schemas/project.schema.json")),
    ("pack", include_str!("../../docs/schemas/pack.schema.json")),
];

/// The name of the program.
const PROGRAM: &str = "render-worker";

/// The command line: every flag with its variable and its default.
pub(super) fn command() -> Command {
    let command = Cli::command();
    let jobs: Vec<_> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = jobs.iter().fold(command, |command, job| {
        command.mut_subcommand(job, |sub| sub.mut_args(with_variable_and_default))
    });
    let shell = Arg::new("shell").value_name("SHELL").required(true);
    let page = Arg::new("subcommand").value_name("SUBCOMMAND");
    let document = Arg::new("document").value_name("DOCUMENT").required(true);
    command
        .subcommand(
            Command::new(COMPLETIONS)
                .about("Print a completion script for bash, elvish, fish, powershell or zsh")
                .arg(shell.value_parser(value_parser!(Shell))),
        )
        .subcommand(
            Command::new(MAN)
                .about("Print a manual page, of the program or of a subcommand, in roff")
                .arg(page.value_parser(jobs)),
        )
        .subcommand(
            Command::new(SCHEMA)
                .about(
                    "Print the JSON Schema of the report, of a manifest, or of what a subcommand prints",
                )
                .arg(document.value_parser(SCHEMAS.map(|(name, _)| name))),
        )
}

/// What the subcommands print that answer from the program's own definitions; `None` for the
/// others.
pub(super) fn print(matches: &ArgMatches) -> Option<String> {
    match matches.subcommand()? {
        (COMPLETIONS, matches) => {
            let mut command = command();
            let shell = matches.get_one::<Shell>("shell").copied()?;
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, PROGRAM, &mut script);
            String::from_utf8(script).ok()
        }
        (MAN, matches) => {
            let mut command = command();
            command.build();
            let page = match matches.get_one::<String>("subcommand") {
                Some(name) => command.find_subcommand(name)?.clone(),
                None => command,
            };
            let mut roff = Vec::new();
            Man::new(page).render(&mut roff).ok()?;
            String::from_utf8(roff).ok()
        }
        (SCHEMA, matches) => {
            let document = matches.get_one::<String>("document")?;
            let (_, schema) = SCHEMAS.into_iter().find(|(name, _)| name == document)?;
            Some(schema.to_owned())
        }
        _ => None,
    }
}

/// The setting that a flag is for.
fn setting_of(arg: &Arg) -> Option<Setting> {
    if [OTHER_DEFINITION, DEALT, WATCH_PAGE].contains(&arg.get_id().as_str()) {
        return None;
    }
    let flag = format!("--{}", arg.get_long()?);
    names::ALL.into_iter().find(|setting| setting.flag == flag)
}

fn with_variable_and_default(arg: Arg) -> Arg {
    let Some(setting) = setting_of(&arg) else { return arg };
    let default = match setting.default {
        DefaultValue::None => String::new(),
        DefaultValue::Required => " [required]".to_owned(),
        DefaultValue::Value(text) | DefaultValue::Depends(text) => format!(" [default: {text}]"),
    };
    let addition = format!(" [env: {}]{default}", setting.variable);
    // The long help begins with the short one, up to the first empty line.
    let long = arg.get_long_help().map(|help| {
        let help = help.to_string();
        let (first, rest) = help.split_once("\n\n").unwrap_or((&help, ""));
        format!("{first}{addition}\n\n{rest}").trim_end().to_owned()
    });
    let short = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let arg = arg.help(format!("{short}{addition}"));
    match long {
        Some(help) => arg.long_help(help),
        None => arg,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A row of the reference: a flag as one or more subcommands have it.
    struct Row {
        flag: String,
        setting: Option<Setting>,
        help: String,
        subcommands: Vec<String>,
    }

    /// The table of all flags, in Markdown, for `docs/reference.md`.
    fn reference() -> String {
        let mut rows: Vec<Row> = Vec::new();
        for sub in Cli::command().get_subcommands() {
            for arg in sub.get_arguments().filter(|arg| arg.get_long().is_some()) {
                let (flag, help) = (flag_cell(arg), help_cell(arg));
                let name = sub.get_name().to_owned();
                match rows.iter_mut().find(|row| row.flag == flag && row.help == help) {
                    Some(row) => row.subcommands.push(name),
                    None => rows.push(Row {
                        flag,
                        setting: setting_of(arg),
                        help,
                        subcommands: vec![name],
                    }),
                }
            }
        }
        let mut table = "| flag | variable | default | subcommands | meaning |\n".to_owned();
        table.push_str("| --- | --- | --- | --- | --- |\n");
        for Row { flag, setting, help, subcommands } in rows {
            let variable =
                setting.map_or(String::new(), |setting| format!("`{}`", setting.variable));
            let default = match setting.map(|setting| setting.default) {
                None | Some(DefaultValue::None) => String::new(),
                Some(DefaultValue::Required) => "required".to_owned(),
                Some(DefaultValue::Value(value)) => format!("`{value}`"),
                Some(DefaultValue::Depends(words)) => words.to_owned(),
            };
            let of = subcommands.join(", ");
            // Writing to a string does not fail.
            _ = writeln!(table, "| {flag} | {variable} | {default} | {of} | {help} |");
        }
        table
    }

    fn flag_cell(arg: &Arg) -> String {
        let long = arg.get_long().unwrap_or_default();
        let value = arg.get_value_names().and_then(<[_]>::first);
        let value = value.filter(|_| arg.get_action().takes_values());
        let value = value.map_or(String::new(), |value| format!(" {value}").replace('|', "\\|"));
        match arg.get_short() {
            Some(short) => format!("`-{short}`, `--{long}{value}`"),
            None => format!("`--{long}{value}`"),
        }
    }

    fn help_cell(arg: &Arg) -> String {
        let help = arg.get_long_help().or_else(|| arg.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let paragraphs: Vec<_> = help.split("\n\n").map(|text| text.replace('\n', " ")).collect();
        let mut cell = paragraphs.join(". ").replace('|', "\\|");
        if paragraphs.len() == 1 && !cell.is_empty() {
            cell.push('.');
        }
        cell
    }

    /// `UPDATE_DOCS=1` writes the table instead of comparing it.
    #[test]
    fn the_reference_has_the_table_of_all_flags() {
        const BEGIN: &str = "<!-- flags: made from the program's own definitions -->\n";
        const END: &str = "<!-- /flags -->";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
        let text = fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (table, after) = rest.split_once(END).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a switch of this test")]
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&file, format!("{before}{BEGIN}{}{END}{after}", reference())).unwrap();
        } else {
            assert_eq!(table, reference(), "UPDATE_DOCS=1 cargo test --lib reference");
        }
    }

    #[test]
    fn every_setting_belongs_to_a_flag_and_to_one_variable() {
        let command = Cli::command();
        let flags: Vec<_> = command
            .get_subcommands()
            .flat_map(|sub| sub.get_arguments().filter_map(Arg::get_long))
            .map(|long| format!("--{long}"))
            .collect();
        for setting in names::ALL {
            assert!(flags.iter().any(|flag| flag == setting.flag), "{setting}");
            let same = names::ALL.iter().filter(|other| other.variable == setting.variable);
            assert_eq!(same.count(), 1, "{setting}");
        }
    }

    #[test]
    fn help_has_the_variable_and_the_default_behind_the_first_sentence() {
        let mut command = command();
        let render = command.find_subcommand_mut("render").unwrap();
        let (short, long) =
            (render.render_help().to_string(), render.render_long_help().to_string());
        for help in [short, long] {
            // The help is wrapped.
            let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(help.contains("[env: MAX_BACKLOG] [default: 1GiB]"), "{help}");
            assert!(help.contains("[env: INPUT_URI] [required]"), "{help}");
        }
    }

    #[test]
    fn pages_and_completions_are_of_this_program() {
        let print = |words: &[&str]| {
            let matches = command().try_get_matches_from([&[PROGRAM], words].concat()).unwrap();
            print(&matches)
        };
        assert!(print(&[COMPLETIONS, "bash"]).unwrap().contains("--max-backlog"));
        assert!(print(&[MAN]).unwrap().contains(".TH render-worker"));
        assert!(print(&[MAN, "stitch"]).unwrap().contains("MAX_PREFETCH"));
        for (name, schema) in SCHEMAS {
            assert_eq!(print(&[SCHEMA, name]).unwrap(), schema);
        }
        assert_eq!(print(&["stitch"]), None);
    }
}
