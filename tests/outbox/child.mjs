// Enqueues updates until it is killed, and prints each ticket. Arguments: file, endpoint, name, mode.

import { writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Client, TimeoutError } from "katalys";

const ORDERS = 12;
const [outbox, endpoint, name, mode] = process.argv.slice(2);
const client = new Client({
  siteId: "abcd.com",
  outbox,
  endpoint,
  timeout: 2,
  workers: 8,
  onRejected: "hold",
  deliver: mode !== "write",
});
const anyOrder = () => `order-${Math.floor(Math.random() * ORDERS)}`;

for (let number = 0; ; number++) {
  const [order, note] = [anyOrder(), `${name}-${number}`];
  const ticket = await client.enqueueUpdate(order, { note });
  writeSync(1, `${ticket.id} ${order} ${note}\n`);
  if (mode === "wait" && number % 5 === 0) {
    const waits = client.updateOrder(anyOrder(), { note: `${name}-waits-${number}` });
    await waits.catch((error) => {
      if (!(error instanceof TimeoutError)) throw error; // The update stays in the outbox.
    });
  }
  await setTimeout(3);
}
