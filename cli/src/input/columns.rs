//! Maps the columns of a CSV file to fields, by the header or by `--map`.

use super::PROBLEM_KEY;
use std::str::FromStr;

/// One `--map`: the header of a column, and its field; no field if the column is omitted.
#[derive(Clone, Debug)]
pub struct Mapping {
    column: String,
    field: Option<String>,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (column, field) = text
            .rsplit_once('=')
            .ok_or("write COLUMN=FIELD, such as \"Order no=order_id\"")?;
        Ok(Self {
            column: column.to_owned(),
            field: Some(field.to_owned()).filter(|field| !field.is_empty()),
        })
    }
}

/// The content of a column.
pub enum Column {
    OrderId,
    Field(String),
    Omitted,
}

/// The columns of a header.
pub fn columns(header: &[String], maps: &[Mapping]) -> Result<Vec<Column>, String> {
    if let Some(unknown) = maps.iter().find(|map| !header.contains(&map.column)) {
        return Err(format!("the header has no column {:?}", unknown.column));
    }
    let meaning = |name: &String| match maps.iter().find(|map| map.column == *name) {
        Some(map) => map.field.clone(),
        None => Some(name.clone()).filter(|name| name != PROBLEM_KEY && !name.is_empty()),
    };
    let columns: Vec<Column> = header.iter().map(|name| column(meaning(name))).collect();
    let ids = columns
        .iter()
        .filter(|column| matches!(column, Column::OrderId));
    match ids.count() {
        1 => Ok(columns),
        0 => Err(
            "the header, its first line, has no column order_id; use --map COLUMN=order_id to \
                  name it"
                .to_owned(),
        ),
        _ => Err("the header has more than one column order_id".to_owned()),
    }
}

fn column(field: Option<String>) -> Column {
    match field {
        None => Column::Omitted,
        Some(field) if field == "order_id" => Column::OrderId,
        Some(field) => Column::Field(field),
    }
}
