//! The rules for codes that ISO keeps: currencies (ISO 4217) and countries (ISO 3166-1).

use iso_currency::{Country, Currency};
use std::str::FromStr;

/// The currency's code in upper case, if there is such a currency.
pub(in crate::order) fn currency(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    Currency::from_code(&upper).map(|_| upper)
}

/// Whether this is a two-letter country code in upper case, as the standard writes it.
pub(in crate::order) fn is_country(text: &str) -> bool {
    text.len() == 2
        && text.bytes().all(|b| b.is_ascii_uppercase())
        && Country::from_str(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_known_in_any_case() {
        assert_eq!(currency("eur").as_deref(), Some("EUR"));
        for unknown in ["EURO", "€", "", "ZZZ", " USD", "ＥＵＲ"] {
            assert_eq!(currency(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn countries_are_two_letters() {
        assert!(is_country("DE") && is_country("US") && is_country("GB"));
        for unknown in ["UK", "Germany", "DEU", "de", "ZZ", ""] {
            assert!(!is_country(unknown), "{unknown}");
        }
    }
}
