//! The rules for ISO codes: currencies (ISO 4217) and countries (ISO 3166-1).

use iso_currency::{Country, Currency};
use std::str::FromStr;
use std::sync::LazyLock;

/// The code of a known currency, in upper case.
pub(in crate::order) fn currency(text: &str) -> Option<[u8; 3]> {
    let mut code: [u8; 3] = text.as_bytes().try_into().ok()?;
    code.make_ascii_uppercase();
    CURRENCIES.contains(&code).then_some(code)
}

/// Whether this is a two-letter country code in upper case.
pub(in crate::order) fn is_country(text: &str) -> bool {
    COUNTRIES.contains(text.as_bytes())
}

static CURRENCIES: LazyLock<Codes<3>> = LazyLock::new(|| {
    // The library has no list: looking up every numeric code (three digits) finds all alphabetic ones.
    Codes::of(
        (0..1000)
            .filter_map(Currency::from_numeric)
            .map(|known| known.code().to_owned()),
    )
});

static COUNTRIES: LazyLock<Codes<2>> = LazyLock::new(|| {
    let pairs = (b'A'..=b'Z').flat_map(|first| (b'A'..=b'Z').map(move |second| [first, second]));
    let codes = pairs.map(|pair| pair.iter().copied().map(char::from).collect::<String>());
    Codes::of(codes.filter(|code| Country::from_str(code).is_ok()))
});

/// A set with one flag for each combination of letters. The library compares one code after the other,
/// which is too slow for every order.
struct Codes<const LETTERS: usize>(Vec<bool>);

impl<const LETTERS: usize> Codes<LETTERS> {
    fn of(codes: impl Iterator<Item = String>) -> Self {
        let mut known = vec![false; 26_usize.pow(u32::try_from(LETTERS).unwrap_or(0))];
        codes
            .filter_map(|code| Self::place(code.as_bytes()))
            .for_each(|at| known[at] = true);
        Self(known)
    }

    fn contains(&self, code: &[u8]) -> bool {
        Self::place(code).is_some_and(|at| self.0[at])
    }

    fn place(code: &[u8]) -> Option<usize> {
        let right = code.len() == LETTERS && code.iter().all(u8::is_ascii_uppercase);
        let letter = |at: usize, letter: &u8| at * 26 + usize::from(letter - b'A');
        right.then(|| code.iter().fold(0, letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_found_in_any_case() {
        assert_eq!(currency("eur"), Some(*b"EUR"));
        for unknown in ["EURO", "€", "", "ZZZ", " USD", "ＥＵＲ"] {
            assert_eq!(currency(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_code_of_the_library_is_found() {
        let count = |known: &[bool]| known.iter().filter(|known| **known).count();
        assert!(count(&CURRENCIES.0) > 150 && count(&COUNTRIES.0) > 240);
        for code in ["USD", "EUR", "JPY", "AED", "ZMW", "SLE", "XXX"] {
            assert_eq!(
                currency(code).as_ref().map(<[u8; 3]>::as_slice),
                Some(code.as_bytes())
            );
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
