//! The rules for codes that ISO keeps: currencies (ISO 4217) and countries (ISO 3166-1).

use iso_currency::{Country, Currency};
use std::str::FromStr;
use std::sync::LazyLock;

/// The currency's code in upper case, if there is such a currency.
pub(in crate::order) fn currency(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    CURRENCIES.contains(&upper).then_some(upper)
}

/// Whether this is a two-letter country code in upper case, as the standard writes it.
pub(in crate::order) fn is_country(text: &str) -> bool {
    COUNTRIES.contains(text)
}

static CURRENCIES: LazyLock<Codes> = LazyLock::new(|| {
    // The numeric codes have three digits; asking for each finds all alphabetic ones.
    Codes::of(
        (0..1000)
            .filter_map(Currency::from_numeric)
            .map(|known| known.code().to_owned()),
    )
});

static COUNTRIES: LazyLock<Codes> = LazyLock::new(|| {
    let pairs = (b'A'..=b'Z').flat_map(|first| (b'A'..=b'Z').map(move |second| [first, second]));
    let codes = pairs.map(|pair| pair.iter().copied().map(char::from).collect::<String>());
    Codes::of(codes.filter(|code| Country::from_str(code).is_ok()))
});

/// The libraries compare with one code after the other; every order asks, so the codes are
/// sorted once.
struct Codes(Vec<String>);

impl Codes {
    fn of(codes: impl Iterator<Item = String>) -> Self {
        let mut codes: Vec<String> = codes.collect();
        codes.sort_unstable();
        Self(codes)
    }

    fn contains(&self, code: &str) -> bool {
        self.0
            .binary_search_by(|known| known.as_str().cmp(code))
            .is_ok()
    }
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
    fn every_code_of_the_library_is_found() {
        assert!(CURRENCIES.0.len() > 150 && COUNTRIES.0.len() > 240);
        for code in ["USD", "EUR", "JPY", "AED", "ZMW", "SLE", "XXX"] {
            assert_eq!(currency(code).as_deref(), Some(code));
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
