//! The client's settings as options, built from the core's table, and durations of other options.

use crate::failure::Failure;
use crate::input::Source;
use clap::builder::PossibleValuesParser;
use clap::error::Error as ClapError;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use katalys_core::config::{self, SETTINGS, Setting, SettingKind};
use katalys_core::{Client, Fields, Language, Value};
use std::path::Path;
use std::time::Duration;

/// The settings given as options.
#[derive(Clone, Default)]
pub struct Settings(Vec<(&'static str, Value<'static>)>);

impl Settings {
    /// A client with these settings, and with `fixed` ones that the command sets itself.
    pub fn client(&self, fixed: &[(&'static str, Value<'static>)]) -> Result<Client, Failure> {
        let pairs = self.0.iter().chain(fixed).cloned();
        let fields: Fields<'static> = pairs.collect();
        Ok(Client::with_options(Language::Cli, &fields)?)
    }

    /// A client that opens no outbox, whatever the settings: for commands that only read.
    pub fn client_without_outbox(&self) -> Result<Client, Failure> {
        let needs_outbox = |name| Setting::named(name).is_some_and(|row| row.needs_outbox);
        let rest = self.0.iter().filter(|(name, _)| !needs_outbox(name));
        Self(rest.cloned().collect()).client(&[("outbox", "".into())])
    }

    /// Fails if neither the settings nor the rows of a file can name a site.
    pub fn require_site(&self, source: &Source) -> Result<(), Failure> {
        if source.may_have("site_id") || self.text("site_id").is_some() {
            return Ok(());
        }
        Err(Failure::usage(
            "the site id is missing: use --site-id, set KATALYS_SITE_ID, or add a column site_id",
        ))
    }

    /// The value of an option, as text.
    pub fn option(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(given, _)| *given == name)?;
        Some(match value {
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => return None,
        })
    }

    /// The value of an option or of its environment variable.
    pub fn text(&self, name: &str) -> Option<String> {
        let row = Setting::named(name)?;
        self.option(name).or_else(|| from_environment(row))
    }
}

/// A path as the value of a setting.
pub fn path_value(path: &Path) -> Result<Value<'static>, Failure> {
    let text = path.to_str().map(ToOwned::to_owned);
    text.map(Value::from)
        .ok_or_else(|| Failure::usage("the file name is not valid Unicode"))
}

/// Reads a number of seconds, with the core's limits. Every duration that the command is given passes
/// through here, apart from settings, which the core reads.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse().unwrap_or(f64::NAN);
    config::timeout(seconds).map_err(|error| error.message().to_owned())
}

/// The value of a setting's environment variable; an empty variable counts as unset.
pub fn from_environment(row: &Setting) -> Option<String> {
    let value = std::env::var(row.env?).ok();
    value.filter(|value| !value.is_empty())
}

/// The command-line option of a setting.
fn argument(row: &'static Setting) -> Arg {
    let spelled = Language::Cli.spell(row.name);
    let name = spelled.trim_start_matches("--").to_owned();
    let option = Arg::new(row.name)
        .long(name)
        .help(help(row))
        .help_heading("Client settings");
    match row.kind {
        SettingKind::Number { .. } => option
            .value_name("NUMBER")
            .value_parser(value_parser!(i64))
            .allow_negative_numbers(true),
        SettingKind::Flag { .. } => option
            .value_name("BOOL")
            .value_parser(value_parser!(bool))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        SettingKind::Choice(words) => option
            .value_name("CHOICE")
            .value_parser(PossibleValuesParser::new(words.iter().copied())),
        SettingKind::Seconds { .. } => option.value_name("SECONDS").allow_negative_numbers(true),
        SettingKind::Path => option
            .value_name("FILE")
            .value_hint(clap::ValueHint::FilePath),
        SettingKind::Url { .. } | SettingKind::SecretUrl => option.value_name("URL"),
        SettingKind::Text => option.value_name("TEXT"),
    }
}

fn help(row: &Setting) -> String {
    let env = row.env.map(|variable| format!(" [env: {variable}]"));
    let default = Some(row.default()).filter(|default| !default.is_empty());
    let default = default.map(|default| format!(" [default: {default}]"));
    [Some(row.doc()), env, default]
        .into_iter()
        .flatten()
        .collect()
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, ClapError> {
        let given = SETTINGS.iter().filter_map(|row| {
            let value = match row.kind {
                SettingKind::Number { .. } => (*matches.get_one::<i64>(row.name)?).into(),
                SettingKind::Flag { .. } => (*matches.get_one::<bool>(row.name)?).into(),
                _ => matches.get_one::<String>(row.name)?.clone().into(),
            };
            Some((row.name, value))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), ClapError> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
