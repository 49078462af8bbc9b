//! The key lists of records that came before. JavaScript sends such a record as the number of
//! its shape and its values alone, which halves what crosses the boundary: a shop's orders
//! mostly look alike.

/// What one JavaScript environment has taught.
#[derive(Default)]
pub struct Shapes(Vec<Option<Box<[Box<str>]>>>);

impl Shapes {
    /// Takes `count` keys separated by `\0`, and returns the number of their shape. A shape whose
    /// keys cannot be told apart like this gets a number too, but can't be looked up.
    pub fn learn(&mut self, keys: &str, count: u32) -> u32 {
        let split: Box<[Box<str>]> = match count {
            0 => Box::default(),
            _ => keys.split('\0').map(Box::from).collect(),
        };
        let clear = split.len() == count as usize && !keys.contains(char::REPLACEMENT_CHARACTER);
        self.0.push(clear.then_some(split));
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The keys of a shape.
    pub fn keys(&self, number: u32) -> Option<&[Box<str>]> {
        self.0.get(number as usize)?.as_deref()
    }

    /// All numbers become free again.
    pub fn forget(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_known_by_its_number_until_all_are_forgotten() {
        let mut shapes = Shapes::default();
        assert_eq!(shapes.learn("a\0b", 2), 0);
        assert_eq!(shapes.learn("", 0), 1);
        assert_eq!(shapes.learn("", 1), 2);
        let keys = |shapes: &Shapes, number| shapes.keys(number).map(<[_]>::len);
        assert_eq!(
            [0, 1, 2].map(|number| keys(&shapes, number)),
            [Some(2), Some(0), Some(1)]
        );
        assert_eq!(keys(&shapes, 3), None);
        shapes.forget();
        assert_eq!(keys(&shapes, 0), None);
    }

    #[test]
    fn unclear_keys_are_no_shape() {
        let mut shapes = Shapes::default();
        let [extra, replaced] = [shapes.learn("a\0b", 1), shapes.learn("\u{fffd}", 1)];
        assert!(shapes.keys(extra).is_none() && shapes.keys(replaced).is_none());
    }
}
