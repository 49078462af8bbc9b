//! The input of a check: `Value`, which every language converts its native values to, and `Fields`, an
//! ordered list of keys and values.

use std::borrow::Cow;
use std::fmt;

/// One value as the caller gave it, before it is checked.
///
/// A binding converts its native values to this type and does nothing else. Text borrows from the
/// caller where possible, so that a check allocates only for what it changes.
#[derive(Clone, PartialEq)]
pub enum Value<'a> {
    /// Null, `None`, `undefined`: the field was not given.
    Null,
    /// A boolean. No field accepts one; it is kept so that the problem can be explained.
    Bool(bool),
    /// Unicode text.
    Text(Cow<'a, str>),
    /// Text that is not valid Unicode (a lone surrogate, broken UTF-8); the content is not kept.
    InvalidText,
    /// A whole number.
    Int(i64),
    /// A binary floating-point number, for languages without a decimal type.
    Float(f64),
    /// An exact decimal in digits, in plain or exponent notation, or `NaN` / `Infinity`.
    Decimal(Cow<'a, str>),
    /// A moment in time, in ISO 8601, with its offset if it has one.
    Time(Cow<'a, str>),
    /// A list, as for `discounts` and `line_items`.
    List(Vec<Value<'a>>),
    /// A record with its keys in the order given.
    Map(Fields<'a>),
    /// A value that no field accepts, such as a file or a function.
    Unsupported,
    /// The same, with its name and article in the caller's language, such as `a Promise`.
    UnsupportedType(Cow<'a, str>),
}

/// Keys and values in the order the caller gave them.
#[derive(Clone, Default, PartialEq)]
pub struct Fields<'a> {
    pairs: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Fields<'a> {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list with capacity for this many pairs.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            pairs: Vec::with_capacity(capacity),
        }
    }

    /// Appends one pair. A duplicate key is reported as a problem, not overwritten.
    pub fn push(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) {
        self.pairs.push((key.into(), value.into()));
    }

    /// Like [`push`](Self::push), for use in an expression.
    ///
    /// ```
    /// use katalys_core::Fields;
    /// let fields = Fields::new().set("order_status", "paid").set("sale_amount", "25.67");
    /// assert_eq!(fields.len(), 2);
    /// ```
    #[must_use]
    pub fn set(mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Self {
        self.push(key, value);
        self
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.pairs.iter().map(|(key, value)| (key.as_ref(), value))
    }

    pub(crate) fn pairs(&self) -> &[(Cow<'a, str>, Value<'a>)] {
        &self.pairs
    }

    /// Subtracts the number of keys and list entries, nested ones included, from a limit; none if the
    /// limit is exceeded.
    pub(crate) fn count_against(&self, limit: usize) -> Option<usize> {
        let left = limit.checked_sub(self.pairs.len())?;
        self.pairs
            .iter()
            .try_fold(left, |left, (_, value)| value.count_against(left))
    }
}

impl Fields<'_> {
    /// Clones what is borrowed, for use on another thread.
    pub fn into_owned(self) -> Fields<'static> {
        let own = |(key, value): (Cow<'_, str>, Value<'_>)| (key.into_owned(), value.into_owned());
        self.pairs.into_iter().map(own).collect()
    }
}

impl<'a, K: Into<Cow<'a, str>>, V: Into<Value<'a>>> FromIterator<(K, V)> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self {
            pairs: pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        }
    }
}

impl<'a, K: Into<Cow<'a, str>>, V: Into<Value<'a>>, const N: usize> From<[(K, V); N]>
    for Fields<'a>
{
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> IntoIterator for Fields<'a> {
    type Item = (Cow<'a, str>, Value<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

/// Shows the number of pairs only: values are customer data.
impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({} hidden)", self.pairs.len())
    }
}

/// Shows the kind only: values are customer data.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.kind_name())
    }
}

impl Value<'_> {
    /// Clones what is borrowed, for use on another thread.
    pub fn into_owned(self) -> Value<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Text(text) => Value::Text(own(text)),
            Self::InvalidText => Value::InvalidText,
            Self::Int(number) => Value::Int(number),
            Self::Float(number) => Value::Float(number),
            Self::Decimal(digits) => Value::Decimal(own(digits)),
            Self::Time(text) => Value::Time(own(text)),
            Self::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
            Self::Map(fields) => Value::Map(fields.into_owned()),
            Self::Unsupported => Value::Unsupported,
            Self::UnsupportedType(name) => Value::UnsupportedType(own(name)),
        }
    }

    /// Subtracts the number of keys and list entries within one value from a limit.
    pub(crate) fn count_against(&self, limit: usize) -> Option<usize> {
        match self {
            Self::List(items) => {
                let left = limit.checked_sub(items.len())?;
                items
                    .iter()
                    .try_fold(left, |left, item| item.count_against(left))
            }
            Self::Map(fields) => fields.count_against(limit),
            _ => Some(limit),
        }
    }

    /// The name of this kind of value, for messages.
    pub(crate) fn kind_name(&self) -> &str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Text(_) => "text",
            Self::InvalidText => "text that is not valid Unicode",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a floating-point number",
            Self::Decimal(_) => "a decimal",
            Self::Time(_) => "a time",
            Self::List(_) => "a list",
            Self::Map(_) => "a record",
            Self::Unsupported => "a value of an unknown type",
            Self::UnsupportedType(name) => name,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value<'_> {
            fn from(number: $kind) -> Self {
                Self::Int(i64::from(number))
            }
        }
    )*};
}
whole_numbers!(i8, i16, i32, i64, u8, u16, u32);

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or_else(|_| Self::Decimal(number.to_string().into()), Self::Int)
    }
}

impl<'a, V: Into<Value<'a>>> From<Vec<V>> for Value<'a> {
    fn from(items: Vec<V>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<'a> From<Fields<'a>> for Value<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Self::Map(fields)
    }
}

impl<'a, V: Into<Value<'a>>> From<Option<V>> for Value<'a> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
