//! Reads settings: what the caller or the environment gave under a name, and the kinds of values
//! that several settings share.

use super::setting::{Setting, SettingKind, named, snake_case};
use crate::error::{Error, ErrorCode};
use crate::language::{Language, WorkingFolder};
use crate::order::{Fields, Value};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Duration;

/// The settings before they are checked, and what is wrong with those that were.
pub(super) struct Reader<'r> {
    pub language: Language,
    pub folder: WorkingFolder,
    table: &'static [Setting],
    options: &'r Fields<'r>,
    problems: RefCell<Vec<Error>>,
}

impl<'r> Reader<'r> {
    /// Notes names that no setting has.
    pub fn new(
        table: &'static [Setting],
        language: Language,
        options: &'r Fields<'r>,
        folder: WorkingFolder,
    ) -> Self {
        let names = options.iter().map(|(name, _)| name);
        let unknown = names.filter(|name| named(table, name).is_none());
        let problems = unknown
            .map(|name| unknown_setting(table, language, name))
            .collect();
        Self {
            language,
            folder,
            table,
            options,
            problems: RefCell::new(problems),
        }
    }

    pub fn into_problems(self) -> Vec<Error> {
        self.problems.into_inner()
    }

    /// The value of a setting; its default if none was given, or one that cannot be used.
    pub fn setting<K: Kind>(&self, name: &'static str, kind: &K) -> K::Value {
        let read = kind.read(&self.given(name));
        self.note(read).unwrap_or_else(|| kind.default())
    }

    /// What was read; if it cannot be used, nothing.
    pub fn note<T: Default>(&self, read: Result<T, Error>) -> T {
        read.unwrap_or_else(|problem| {
            self.problems.borrow_mut().push(problem);
            T::default()
        })
    }

    pub fn given(&self, name: &'static str) -> Given<'_> {
        Given { reader: self, name }
    }

    /// Without an outbox, a setting of it has no meaning.
    pub fn refuse_outbox_settings(&self) {
        let of_outbox = self.table.iter().filter(|row| row.needs_outbox);
        let given = of_outbox.map(|row| self.given(row.name));
        for given in given.filter(|given| given.value().is_some()) {
            let advice = "applies only with an outbox; set outbox as well, or leave this out";
            self.problems.borrow_mut().push(given.invalid(advice));
        }
    }
}

fn unknown_setting(table: &[Setting], language: Language, name: &str) -> Error {
    let near = table
        .iter()
        .find(|row| strsim::osa_distance(&snake_case(name), row.name) <= 2)
        .map(|row| format!("; did you mean {}?", language.spell(row.name)));
    let all = || {
        let names: Vec<String> = table.iter().map(|row| language.spell(row.name)).collect();
        format!("; the settings are {}", names.join(", "))
    };
    let hint = near.unwrap_or_else(all);
    let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
    let message = format!("unknown setting {shown}{hint}");
    Error::new(ErrorCode::ConfigUnknown, message)
}

/// Settings that are read together, once one value is known.
pub(super) trait Group {
    /// The type of the known value.
    type Known;

    fn from_reader(known: Self::Known, reader: &Reader<'_>) -> Self;
}

/// One setting as it was given. Its functions are not inlined: each setting has a copy of its reader,
/// which would grow the library by a hundredth.
pub(super) struct Given<'g> {
    pub reader: &'g Reader<'g>,
    name: &'static str,
}

impl Given<'_> {
    /// The caller's value, the last one if there are several, in either spelling.
    #[inline(never)]
    pub fn value(&self) -> Option<&Value<'_>> {
        let table = self.reader.table;
        let is_named = |given: &str| named(table, given).is_some_and(|row| row.name == self.name);
        let options = self.reader.options.iter();
        let found = options.filter(|(given, _)| is_named(given)).last();
        found
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Value::Null))
    }

    /// The environment's value; an empty variable counts as unset.
    #[inline(never)]
    fn environment(&self) -> Option<String> {
        let variable = named(self.reader.table, self.name)?.env?;
        std::env::var(variable).ok().filter(|text| !text.is_empty())
    }

    /// Whether the caller gave an empty text, which some settings take for none.
    pub fn is_empty(&self) -> bool {
        matches!(self.value(), Some(Value::Text(text)) if text.is_empty())
    }

    #[inline(never)]
    pub fn text(&self) -> Result<Option<String>, Error> {
        let text = match self.value() {
            Some(Value::Text(text)) => text.to_string(),
            Some(_) => return Err(self.invalid("must be text")),
            None => match self.environment() {
                Some(text) => text,
                None => return Ok(None),
            },
        };
        if text.trim().is_empty() {
            return Err(self.invalid("is empty; give it a value or leave it out"));
        }
        if text.chars().any(char::is_control) {
            return Err(self.invalid("contains a control character; remove it"));
        }
        Ok(Some(text))
    }

    pub fn flag(&self) -> Result<Option<bool>, Error> {
        match self.value() {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.invalid("must be true or false")),
        }
    }

    #[inline(never)]
    fn seconds(&self, max: u32) -> Result<Option<Duration>, Error> {
        let max = f64::from(max);
        let seconds = match self.value() {
            #[allow(clippy::cast_precision_loss, reason = "checked to be small below")]
            Some(Value::Int(number)) => Some(*number as f64),
            Some(Value::Float(number)) => Some(*number),
            Some(Value::Text(text) | Value::Decimal(text)) => text.trim().parse().ok(),
            Some(_) => None,
            None => match self.environment() {
                Some(text) => text.trim().parse().ok(),
                None => return Ok(None),
            },
        };
        match seconds {
            Some(seconds) if seconds > 0.0 && seconds <= max => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            Some(number) if number > max && number / 1000.0 <= max => {
                let meant = number / 1000.0;
                let reason = format!("is in seconds, up to {max}; did you mean {meant}?");
                Err(self.invalid(&reason))
            }
            _ => Err(self.invalid(&format!(
                "must be a number of seconds above 0 and up to {max}, such as 10 or 2.5"
            ))),
        }
    }

    fn whole(&self, max: Option<u32>) -> Result<Option<u64>, Error> {
        let given = match self.value() {
            None => return Ok(None),
            Some(Value::Int(number)) => u64::try_from(*number).ok(),
            Some(_) => None,
        };
        let limit = max.map_or(u64::MAX, u64::from);
        let number = given.filter(|number| (1..=limit).contains(number));
        number.map(Some).ok_or_else(|| {
            let range = max.map_or("above 0".to_owned(), |max| format!("from 1 to {max}"));
            self.invalid(&format!("must be a whole number {range}"))
        })
    }

    fn choice<W: Words>(&self) -> Result<Option<W>, Error> {
        let given = match self.value() {
            None => return Ok(None),
            Some(Value::Text(text)) => text.as_ref(),
            Some(_) => "",
        };
        let mut choices = W::WORDS.iter().zip(W::VALUES);
        let found = choices.find(|(word, _)| **word == given);
        found.map(|(_, value)| Some(*value)).ok_or_else(|| {
            let words: Vec<String> = W::WORDS.iter().map(|word| format!("\"{word}\"")).collect();
            self.invalid(&format!("must be {}", words.join(" or ")))
        })
    }

    /// An error that names the setting as the caller's language spells it, and where it was set.
    #[inline(never)]
    pub fn invalid(&self, reason: &str) -> Error {
        let spelled = self.reader.language.spell(self.name);
        let variable = named(self.reader.table, self.name).and_then(|row| row.env);
        let source = match (self.value(), variable) {
            (None, Some(variable)) if self.environment().is_some() => {
                format!("{spelled} (from {variable})")
            }
            _ => spelled,
        };
        Error::new(ErrorCode::ConfigInvalid, format!("{source} {reason}"))
    }
}

/// How the value of a setting is read. Each kind also says by `kind()` what its row holds.
pub(super) trait Kind {
    type Value;

    /// What was given, if anything was.
    fn read(&self, given: &Given<'_>) -> Result<Option<Self::Value>, Error>;

    fn default(&self) -> Self::Value;
}

/// Seconds with a default.
pub(super) struct Seconds {
    pub default: u32,
    pub max: u32,
}

impl Seconds {
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Seconds {
            default: Some(self.default),
            max: self.max,
        }
    }
}

impl Kind for Seconds {
    type Value = Duration;

    fn read(&self, given: &Given<'_>) -> Result<Option<Duration>, Error> {
        given.seconds(self.max)
    }

    fn default(&self) -> Duration {
        Duration::from_secs(self.default.into())
    }
}

/// Seconds, or none.
pub(super) struct OptionalSeconds {
    pub max: u32,
}

impl OptionalSeconds {
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Seconds {
            default: None,
            max: self.max,
        }
    }
}

impl Kind for OptionalSeconds {
    type Value = Option<Duration>;

    fn read(&self, given: &Given<'_>) -> Result<Option<Self::Value>, Error> {
        given.seconds(self.max).map(Some)
    }

    fn default(&self) -> Self::Value {
        None
    }
}

/// A whole number with a default.
pub(super) struct Number {
    pub default: u32,
    pub max: u32,
}

impl Number {
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Number {
            default: Some(self.default),
            max: Some(self.max),
        }
    }
}

impl Kind for Number {
    type Value = usize;

    fn read(&self, given: &Given<'_>) -> Result<Option<usize>, Error> {
        let number = given.whole(Some(self.max))?;
        Ok(number.and_then(|number| usize::try_from(number).ok()))
    }

    fn default(&self) -> usize {
        self.default as usize
    }
}

/// A whole number, or none.
pub(super) struct OptionalNumber;

impl OptionalNumber {
    #[allow(clippy::unused_self, reason = "as all kinds have it")]
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Number {
            default: None,
            max: None,
        }
    }
}

impl Kind for OptionalNumber {
    type Value = Option<u64>;

    fn read(&self, given: &Given<'_>) -> Result<Option<Self::Value>, Error> {
        given.whole(None).map(Some)
    }

    fn default(&self) -> Self::Value {
        None
    }
}

/// Yes or no.
pub(super) struct Flag {
    pub default: bool,
}

impl Flag {
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Flag {
            default: self.default,
        }
    }
}

impl Kind for Flag {
    type Value = bool;

    fn read(&self, given: &Given<'_>) -> Result<Option<bool>, Error> {
        given.flag()
    }

    fn default(&self) -> bool {
        self.default
    }
}

/// The words of a choice and what each stands for, in the same order.
pub(super) trait Words: Copy + 'static {
    const WORDS: &'static [&'static str];
    const VALUES: &'static [Self];
}

/// One of several words; the first is the default.
pub(super) struct Choice<W>(PhantomData<W>);

impl<W: Words> Choice<W> {
    pub const fn new() -> Self {
        const { assert!(W::WORDS.len() == W::VALUES.len() && !W::WORDS.is_empty()) };
        Self(PhantomData)
    }

    #[allow(clippy::unused_self, reason = "as all kinds have it")]
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Choice(W::WORDS)
    }
}

impl<W: Words> Kind for Choice<W> {
    type Value = W;

    fn read(&self, given: &Given<'_>) -> Result<Option<W>, Error> {
        given.choice()
    }

    fn default(&self) -> W {
        W::VALUES[0]
    }
}
