//! Lists the effective settings and where each comes from; hides passwords.

use super::{Finding, Verdict};
use crate::settings::{Settings, from_environment};
use katalys_core::Language;
use katalys_core::config::{ROUTE_VARIABLES, SETTINGS, Setting, SettingKind};

pub fn check(settings: &Settings) -> Vec<Finding> {
    let given = SETTINGS.iter().filter_map(|row| described(settings, row));
    let mut findings: Vec<Finding> = given.map(|text| Finding::good("setting", text)).collect();
    for variable in ROUTE_VARIABLES {
        if let Some(value) = std::env::var(variable)
            .ok()
            .filter(|value| !value.is_empty())
        {
            // A proxy's URL may hold a password.
            let is_proxy =
                !variable.eq_ignore_ascii_case("no_proxy") && *variable != "SSL_CERT_FILE";
            let shown = if is_proxy {
                without_credentials(&value)
            } else {
                value
            };
            findings.push(Finding::good(
                "setting",
                format!("{variable} = {shown} (environment)"),
            ));
        }
    }
    if settings.text("site_id").is_none() {
        let found = "the site id is not set";
        let advice = "use --site-id or set KATALYS_SITE_ID: the script name of the tracking snippet, \
                      such as abcd.com in /js/abcd.com.js";
        findings.push(Finding::new("setting", Verdict::Warning, found).advise(advice));
    }
    findings
}

fn described(settings: &Settings, row: &Setting) -> Option<String> {
    let name = Language::Cli.spell(row.name);
    let (value, source) = match (settings.option(row.name), from_environment(row)) {
        (Some(given), _) => (given, "option".to_owned()),
        (None, Some(value)) => (value, format!("from {}", row.env?)),
        (None, None) => return None,
    };
    let shown = if row.kind == SettingKind::SecretUrl {
        without_credentials(&value)
    } else {
        value
    };
    Some(format!("{name} = {shown} ({source})"))
}

/// A URL without user name and password.
fn without_credentials(url: &str) -> String {
    match url.rsplit_once('@') {
        None => url.to_owned(),
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            let separator = if scheme.is_empty() { "" } else { "://" };
            format!("{scheme}{separator}(hidden)@{host}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_are_hidden() {
        assert_eq!(
            without_credentials("http://user:p@ss@proxy:3128"),
            "http://(hidden)@proxy:3128"
        );
        assert_eq!(without_credentials("user:pass@proxy"), "(hidden)@proxy");
        assert_eq!(
            without_credentials("http://proxy:3128"),
            "http://proxy:3128"
        );
    }
}
