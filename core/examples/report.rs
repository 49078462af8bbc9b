//! Reports from Rust that an order was paid, and then refunded.

use katalys_core::{Client, Error, Fields};

fn main() -> Result<(), Error> {
    let client = Client::new("abcd.com")?;
    let item = Fields::from([
        ("title", "Wellness Bundle #4"),
        ("sku", "WLNS_BUNDLE_4"),
        ("price", "19.20"),
    ]);
    let order = Fields::new()
        .set("order_status", "paid")
        .set("order_time", "2018-01-01 01:23:40-08:00")
        .set("sale_amount", "25.67")
        .set("shipping_amount", "4.99")
        .set("tax_amount", "1.48")
        .set("email_address", "email@example.com")
        .set("line_items", vec![item]);
    client.report_order("RS-1001", order)?;
    let receipt = client.update_order("RS-1001", [("order_status", "refunded")])?;
    println!("rust: received after {} attempt(s)", receipt.attempts);
    Ok(())
}
