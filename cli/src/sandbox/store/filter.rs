//! Selects orders.

use rusqlite::ToSql;

/// Selects the orders of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of the id, or of an id that was merged into it.
    pub order_id: Option<String>,
    pub status: Option<String>,
    pub site_id: Option<String>,
    /// The order's time in Unix milliseconds: the first, and the first after the last.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// Only orders with ignored values or warnings.
    pub flagged: bool,
}

impl Filter {
    /// Conditions for a WHERE clause, and their values.
    pub fn conditions(&self) -> (String, Vec<&dyn ToSql>) {
        let mut sql = String::new();
        let mut values: Vec<&dyn ToSql> = Vec::new();
        let mut add = |condition: &str, value| {
            sql.push_str(condition);
            values.push(value);
        };
        if let Some(part) = &self.order_id {
            add(" AND instr(order_id, ?) > 0", part);
        }
        if let Some(status) = &self.status {
            add(" AND status = ?", status);
        }
        if let Some(site_id) = &self.site_id {
            add(" AND site_id = ?", site_id);
        }
        if let Some(from) = &self.from {
            add(" AND placed_ms >= ?", from);
        }
        if let Some(to) = &self.to {
            add(" AND placed_ms < ?", to);
        }
        if self.flagged {
            sql.push_str(" AND flagged");
        }
        (sql, values)
    }
}
