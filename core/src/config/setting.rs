//! The columns of the settings table.

/// What a setting holds, with its default and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Text.
    Text,
    /// A URL.
    Url {
        /// The one that is used if none is given.
        default: &'static str,
    },
    /// A URL that may hold a password.
    SecretUrl,
    /// A file's path.
    Path,
    /// Seconds, with decimals, above 0.
    Seconds {
        /// What holds if none are given.
        default: Option<u32>,
        /// The largest number.
        max: u32,
    },
    /// A whole number of 1 or more.
    Number {
        /// What holds if none is given.
        default: Option<u32>,
        /// The largest one.
        max: Option<u32>,
    },
    /// Yes or no.
    Flag {
        /// What holds if neither is given.
        default: bool,
    },
    /// One of these words; the first is the default.
    Choice(&'static [&'static str]),
}

/// One row of the settings table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name, in `snake_case`.
    pub name: &'static str,
    /// What it holds.
    pub kind: SettingKind,
    /// The environment variable that gives it where no argument does.
    pub env: Option<&'static str>,
    /// Whether it applies only together with `outbox`.
    pub needs_outbox: bool,
    pub(super) doc: &'static str,
}

impl Setting {
    /// What holds where neither an argument nor the environment gives a value, as text for
    /// documentation; empty if nothing does.
    pub fn default(&self) -> String {
        let number = |number: Option<u32>| number.map_or_else(String::new, |n| n.to_string());
        match self.kind {
            SettingKind::Text | SettingKind::SecretUrl | SettingKind::Path => String::new(),
            SettingKind::Url { default } => default.to_owned(),
            SettingKind::Seconds { default, .. } | SettingKind::Number { default, .. } => {
                number(default)
            }
            SettingKind::Flag { default } => default.to_string(),
            SettingKind::Choice(words) => words.first().copied().unwrap_or_default().to_owned(),
        }
    }

    /// One or two sentences for every language's documentation, with the unit and the limit.
    pub fn doc(&self) -> String {
        let limit = match self.kind {
            SettingKind::Seconds { max, .. } => format!(", in seconds, up to {max}"),
            SettingKind::Number { max: Some(max), .. } => format!(", up to {max}"),
            _ => return self.doc.to_owned(),
        };
        let end = self.doc.find('.').unwrap_or(self.doc.len());
        let (first, rest) = self.doc.split_at(end);
        format!("{first}{limit}{rest}")
    }
}

/// The row of a name in `snake_case` or `camelCase`.
pub(super) fn named(table: &'static [Setting], name: &str) -> Option<&'static Setting> {
    let snake = snake_case(name);
    table.iter().find(|row| row.name == snake)
}

pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
