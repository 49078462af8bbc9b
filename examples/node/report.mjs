// Reports a paid order from Node, then its refund.
import { Client, ValidationError } from "katalys";

const client = new Client({ siteId: "abcd.com" });
try {
  await client.reportOrder("JS-1001", {
    order_status: "paid",
    order_time: new Date("2018-01-01T09:23:40Z"),
    sale_amount: "25.67",
    shipping_amount: "4.99",
    tax_amount: "1.48",
    email_address: "email@example.com",
    line_items: [{ title: "Wellness Bundle #4", sku: "WLNS_BUNDLE_4", price: "19.20" }],
  });
  const receipt = await client.updateOrder("JS-1001", { order_status: "refunded" });
  console.log(`node: received after ${receipt.attempts} attempt(s)`);
} catch (error) {
  if (error instanceof ValidationError) console.error(error.problems);
  throw error;
}
