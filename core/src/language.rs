//! The language of the caller, and whether the caller chooses the working folder.

/// Where a call comes from: it decides the User-Agent and how settings are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The core itself.
    Rust,
    /// The Python package.
    Python,
    /// The npm package.
    Node,
    /// The Composer package.
    Php,
    /// The C library.
    C,
    /// The command.
    Cli,
}

impl Language {
    /// As in the User-Agent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Node => "node",
            Self::Php => "php",
            Self::C => "c",
            Self::Cli => "cli",
        }
    }

    /// A setting's name as it is written in this language.
    pub fn spell(self, setting: &str) -> String {
        match self {
            Self::Node | Self::Php => camel_case(setting),
            Self::Cli => format!("--{}", setting.replace('_', "-")),
            Self::Rust | Self::Python | Self::C => setting.into(),
        }
    }

    /// Whether a client must have a site: the command also reads files whose rows name theirs, and
    /// manages outboxes.
    pub(crate) const fn needs_site(self) -> bool {
        !matches!(self, Self::Cli)
    }
}

/// Who chooses the working folder of the process, which decides whether relative paths are
/// accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkingFolder {
    /// The caller's, as at a terminal.
    Callers,
    /// A web server's, which may publish what is in it: as in PHP outside of a command line.
    WebServers,
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}
