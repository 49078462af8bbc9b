//! The key lists of earlier records. JavaScript sends a record with known keys as the number of its
//! shape and its values, which halves what crosses the boundary: most orders of a shop have the
//! same keys.

/// The shapes of one JavaScript environment, by number.
#[derive(Default)]
pub struct Shapes(Vec<Option<Box<[Box<str>]>>>);

impl Shapes {
    /// Adds a shape of `count` keys separated by `\0`, and returns its number. A shape whose keys
    /// cannot be split again, because one holds a separator, has a number but no keys.
    pub fn add(&mut self, keys: &str, count: u32) -> u32 {
        let split: Box<[Box<str>]> = match count {
            0 => Box::default(),
            _ => keys.split('\0').map(Box::from).collect(),
        };
        let is_exact = split.len() == count as usize && !keys.contains(char::REPLACEMENT_CHARACTER);
        self.0.push(is_exact.then_some(split));
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The keys of a shape.
    pub fn keys(&self, number: u32) -> Option<&[Box<str>]> {
        self.0.get(number as usize)?.as_deref()
    }

    /// Removes all shapes; numbers start over.
    pub fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_known_by_its_number_until_all_are_removed() {
        let mut shapes = Shapes::default();
        assert_eq!(shapes.add("a\0b", 2), 0);
        assert_eq!(shapes.add("", 0), 1);
        assert_eq!(shapes.add("", 1), 2);
        let keys = |shapes: &Shapes, number| shapes.keys(number).map(<[_]>::len);
        assert_eq!(
            [0, 1, 2].map(|number| keys(&shapes, number)),
            [Some(2), Some(0), Some(1)]
        );
        assert_eq!(keys(&shapes, 3), None);
        shapes.clear();
        assert_eq!(keys(&shapes, 0), None);
    }

    #[test]
    fn keys_that_cannot_be_split_are_not_known() {
        let mut shapes = Shapes::default();
        let [extra, replaced] = [shapes.add("a\0b", 1), shapes.add("\u{fffd}", 1)];
        assert!(shapes.keys(extra).is_none() && shapes.keys(replaced).is_none());
    }
}
