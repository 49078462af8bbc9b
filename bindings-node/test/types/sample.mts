// A user's program, and code that the compiler must refuse. Compiled, never run.

import { Decimal } from 'decimal.js';
import type {
  ClientOptions,
  DeadLetter,
  DecimalLike,
  EventKind,
  Fields,
  LineItem,
  OrderFields,
  OutboxEvent,
  Problem,
  Receipt,
  Stats,
  Ticket,
  TimeLike,
  Validation,
} from 'katalys';
import katalys, {
  Client,
  ConfigError,
  KatalysError,
  OutboxError,
  OutboxFullError,
  RejectedError,
  TimeoutError,
  ValidationError,
} from 'katalys';
import { type Fault, SandboxError, type SandboxOrder, startSandbox } from 'katalys/testing';
import { Temporal } from 'temporal-polyfill';

const options: ClientOptions = { siteId: 'abcd.com', timeout: 2.5, invalid: 'drop' };
const client = new Client(options);
new Client('abcd.com', { caFile: '/etc/ca.pem', connectTimeout: 1, workers: 4 });
new Client();
new katalys.Client('abcd.com');

const fields: OrderFields = {
  order_status: 'paid',
  order_time: new Date(),
  order_count: 2n,
  sale_amount: '25.67',
  subtotal_amount: 24.95,
  discounts: [{ code: 'A', amount: 1.5 }],
  line_items: [{ title: 'A', sku: 'B', price: '1.99', qty: 2, colour: 'red' }],
  discount_2_code: 'B',
  email_address: null,
};

export async function main(): Promise<number> {
  const receipt: Receipt = await client.updateOrder('1001', fields);
  await client.updateOrder(1001, { order_status: 'our-own-status' });
  await client.reportOrder(1001n, fields);
  const first: Problem | undefined = receipt.warnings[0];
  if (first?.code === 'time_missing') return receipt.elapsed;

  const checked: Validation = client.validateUpdate('1001', fields);
  if (checked.ok) return checked.payload.length;
  // @ts-expect-error without ok there is no payload
  checked.payload.length;
  return checked.problems.length + client.validateReport('1001').problems.length;
}

export async function durable(): Promise<number> {
  const shop = new Client('abcd.com', {
    outbox: 'katalys.db',
    durability: 'normal',
    onRejected: 'hold',
    maxAge: 86_400,
    collapse: true,
    capacityRows: 1000,
    capacityBytes: 1e9,
    deliver: false,
    eventOrderIds: 'plain',
  });
  shop
    .on('retried', (event) => {
      const { kind, status }: { kind: 'retried'; status: number | null } = event;
      console.log(kind, status ?? event.code, event.order.length);
      // @ts-expect-error an event of one kind is of no other
      if (event.kind === 'accepted') return;
    })
    .once('delivered', ({ id, attempts }: OutboxEvent) => id + attempts);
  const kind: EventKind = 'discarded';
  shop.off(kind, () => {});
  const ticket: Ticket = await shop.enqueueUpdate('1001', fields);
  await shop.enqueueReport(1001n, fields);
  const stats: Stats = await shop.stats();
  const letters: DeadLetter[] = await shop.deadLetters({ after: 3, limit: 5 });
  for (const { id, diedAt, payload, status } of letters) {
    const edited: boolean = await shop.edit(id, { currency: null, sale_amount: '1' });
    if (edited && (status ?? 0) > 399 && diedAt < new Date()) await shop.replay(id);
    else if (payload.length > 9) await shop.discard(id);
  }
  // @ts-expect-error there is no such kind of events
  shop.on('deliverd', () => {});
  // @ts-expect-error an id is a number
  await shop.replay('1');
  // @ts-expect-error a dead letter is edited with fields
  await shop.edit(1);
  return ticket.id + stats.inFlight + (await shop.flush(1.5)) + (await shop.close());
}

export function shapes(): Validation[] {
  const items: LineItem[] = [{ title: 'A' }];
  const later: TimeLike = Temporal.Instant.from('2018-01-01T09:23:40Z');
  const exact: DecimalLike = new Decimal('25.67');
  const pairs: Fields = new Map<string, unknown>([['order_status', 'paid']]);
  new Client({ siteId: 'abcd.com', outbox: new URL('file:///var/lib/shop/katalys.db') });
  return [
    client.validateUpdate('1', { line_items: new Set(items), discounts: new Map().values() }),
    client.validateUpdate('1', { line_items: [null, ...items], order_time: later }),
    client.validateUpdate('1', { sale_amount: exact, subtotal_amount: exact }),
    client.validateUpdate('1', pairs),
  ];
}

export function explain(error: unknown): string {
  if (error instanceof ValidationError) return error.problems.map(({ path }) => path).join();
  if (error instanceof TimeoutError) return error.retryable ? 'again' : `${error.ticket ?? 0}`;
  if (error instanceof KatalysError && error.code === 'library_unavailable') return error.message;
  if (error instanceof RejectedError) return `${error.status} ${error.retryAfter ?? 0}`;
  if (error instanceof KatalysError && error.code === 'certificate') return error.message;
  if (error instanceof OutboxError && error.code === 'outbox_full') return error.message;
  if (error instanceof OutboxFullError) return (error satisfies OutboxError).code;
  if (error instanceof OutboxError && error.attempts > 0) return error.code;
  // @ts-expect-error of another class
  if (error instanceof OutboxError && error.code === 'timeout') return error.message;
  if (error instanceof ConfigError) return error.code satisfies `config_${string}`;
  // @ts-expect-error there is no such code
  if (error instanceof KatalysError && error.code === 'certificates') return error.message;
  // @ts-expect-error a validation error has but one code
  if (error instanceof ValidationError && error.code === 'timeout') return '';
  return String(error);
}

// @ts-expect-error an option is misspelled
new Client({ siteID: 'abcd.com' });
// @ts-expect-error an option has the wrong type
new Client('abcd.com', { timeout: '10' });
// @ts-expect-error there are two ways with invalid fields
new Client('abcd.com', { invalid: 'ignore' });
// @ts-expect-error an order id is required
client.updateOrder();
// @ts-expect-error a boolean is no order id
client.updateOrder(true, {});
// @ts-expect-error a status is text
client.updateOrder('1001', { order_status: 1 });
// @ts-expect-error a boolean is no amount
client.updateOrder('1001', { sale_amount: true });
// @ts-expect-error one record is no list
client.updateOrder('1001', { line_items: { title: 'A' } });
// @ts-expect-error a record's amount is an amount
client.updateOrder('1001', { discounts: [{ code: 'A', amount: [] }] });
// @ts-expect-error an await is forgotten
client.updateOrder('1001', Promise.resolve({ order_status: 'paid' }));
// @ts-expect-error fields are an object
client.updateOrder('1001', 'paid');
// @ts-expect-error there is no such call
client.update('1001', {});
// @ts-expect-error a receipt has no status
(await client.updateOrder('1001')).status;

export async function inTests(): Promise<string | number | null> {
  const sandbox = await startSandbox();
  const fault: Fault = { status: 503, next: 2, reset: 'before' };
  const { id, hits }: { id: number; hits: number } = await sandbox.fault(fault);
  try {
    const order: SandboxOrder = await sandbox.waitFor(1001n, { status: 'paid', timeout: 0.5 });
    const [first] = order.updates;
    if (first?.warnings[0]?.code === 'time_missing') return first.ignored.length;
    const { orders, total } = await sandbox.orders({ from: '2018-01-01', warnings: true });
    const page = await sandbox.updates((await sandbox.updates()).cursor);
    if (page.updates[0]?.outcome === 'faulted') await sandbox.clearFaults();
    return (
      (await sandbox.order('1001', { siteId: 'abcd.com' })).merged_from[0] ?? orders.length + total
    );
  } catch (error) {
    return error instanceof SandboxError ? error.status : id + hits;
  } finally {
    await sandbox.close();
    await sandbox[Symbol.asyncDispose]();
  }
}

// @ts-expect-error an option is misspelled
startSandbox({ comand: 'katalys' });
// @ts-expect-error a fault is misspelled
(await startSandbox()).fault({ latenzy: 1 });
