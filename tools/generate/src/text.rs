//! What the writers of the languages have in common.

/// Said at the top of every generated file.
pub(crate) const NOTICE: &str =
    "Made from the core's tables by `make generate`; change core/src/order/fields.rs instead.";

/// The notice of a file whose table is another one.
pub(crate) fn notice(table: &str) -> String {
    format!("Generated from the core's tables by `make generate`; change {table} instead.")
}

/// Breaks a text into lines of at most `width` characters.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Words in double quotes, joined.
pub(crate) fn quoted<'w>(words: impl Iterator<Item = &'w str>, separator: &str) -> String {
    words
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(separator)
}

/// A doc comment as `/** … */`, as TypeScript and PHP have it.
pub(crate) fn block_comment(text: &str, indent: &str) -> String {
    let lines = wrap(text, 90);
    if let [line] = lines.as_slice() {
        return format!("{indent}/** {line} */\n");
    }
    let body: Vec<String> = lines
        .iter()
        .map(|line| format!("{indent} * {line}\n"))
        .collect();
    format!("{indent}/**\n{}{indent} */\n", body.concat())
}
