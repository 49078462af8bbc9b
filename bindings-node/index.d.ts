// What the package exports: the client. The types of what it is given are in fields.d.ts, and those of
// what it returns, throws and emits in results.d.ts; both are generated from the core's tables.

import { EventEmitter } from 'node:events';
import type { ClientOptions, DeadLettersPage, OrderFields, WaitTimeout } from './fields';
import type {
  DeadLetter,
  EventKind,
  OutboxEvent,
  Receipt,
  Stats,
  Ticket,
  Validation,
} from './results';

export * from './fields';
export * from './results';

/**
 * The fields of an order. For an instance of a class, the client sends its own properties and its
 * getters, or the result of its `toJSON()`.
 */
export type Fields = OrderFields | ReadonlyMap<string, unknown>;

/** The order's id, exactly as on the Thank-You page. */
export type OrderId = string | number | bigint;

/**
 * Reports orders of one site. Create one client and reuse it: it holds the connections.
 *
 * Updates of one order are sent in the order of the calls; different orders never wait for each
 * other. Each warning code is shown once per client, as a process warning of the type
 * `KatalysWarning`.
 *
 * @example
 * const client = new Client({ siteId: 'abcd.com' });
 * await client.updateOrder('1001', { order_status: 'paid' });
 *
 * With the option `outbox` the client also keeps updates in a file until the endpoint has received
 * them, and emits an {@link OutboxEvent} whenever the state of one changes; a listener that throws
 * causes a process warning. When the process ends by itself, updates in flight finish within a few
 * seconds, and the others stay in the file. Pending updates do not keep the process alive; calls that
 * have not settled do. Calls that need an outbox reject with a {@link ConfigError} without one.
 *
 * @example
 * const client = new Client({ siteId: 'abcd.com', outbox: '/var/lib/shop/katalys.db' });
 * client.on('dead_lettered', ({ id, status }) => console.error('refused', id, status));
 * await client.enqueueUpdate('1001', { order_status: 'paid' });
 */
export class Client extends EventEmitter {
  /**
   * A client from options; options that are not given come from the environment, such as
   * `KATALYS_SITE_ID`.
   * @throws {ConfigError} with the name of the option and how to fix it.
   * @throws {KatalysError} with the code `library_unavailable` and the reason, if the compiled library
   * cannot be loaded.
   */
  constructor(options?: ClientOptions | null);
  /** A client for one site. */
  constructor(siteId: string, options?: Omit<ClientOptions, 'siteId'> | null);

  /**
   * Sends an order update, and settles when the endpoint has received it. All given fields must be
   * valid; only the order's id is required.
   *
   * Rejects with a {@link ValidationError}, {@link RejectedError}, {@link TransportError} or
   * {@link TimeoutError}.
   */
  updateOrder(orderId: OrderId, fields?: Fields | null): Promise<Receipt>;

  /**
   * Sends an order report: an update with all fields that the endpoint requires of a new order.
   * Without an `order_time`, the time of this call is sent.
   *
   * Rejects like {@link Client.updateOrder}.
   */
  reportOrder(orderId: OrderId, fields?: Fields | null): Promise<Receipt>;

  /**
   * Accepts an order update into the outbox, and settles when it is on disk. It is sent in the
   * background, after earlier updates of the same order.
   *
   * Rejects with a {@link ValidationError}, or an {@link OutboxError} such as
   * {@link OutboxFullError}; the update is then not accepted.
   */
  enqueueUpdate(orderId: OrderId, fields?: Fields | null): Promise<Ticket>;

  /**
   * Accepts an order report into the outbox.
   *
   * Rejects like {@link Client.enqueueUpdate}.
   */
  enqueueReport(orderId: OrderId, fields?: Fields | null): Promise<Ticket>;

  /** The counters of the outbox. */
  stats(): Promise<Stats>;

  /**
   * Waits until no update is pending, or for up to `timeout` seconds.
   * @returns The number of updates that are still pending.
   */
  flush(timeout?: WaitTimeout): Promise<number>;

  /**
   * Ends delivery: starts no further request, and waits for up to `timeout` seconds until updates in
   * flight finish.
   * @returns The number of pending updates, which the next process delivers; 0 without an outbox.
   */
  close(timeout?: WaitTimeout): Promise<number>;

  /** Dead letters, by ascending id. */
  deadLetters(page?: DeadLettersPage | null): Promise<DeadLetter[]>;

  /**
   * Makes a dead letter a pending update again, in its original position within its order.
   * @returns False if there is no such dead letter.
   */
  replay(id: number): Promise<boolean>;

  /**
   * Removes a dead letter permanently; `stats()` counts it as discarded.
   * @returns False if there is no such dead letter.
   */
  discard(id: number): Promise<boolean>;

  /**
   * Changes fields of a dead letter and keeps all others; `null` removes a field, `undefined` changes
   * nothing.
   *
   * Rejects with a {@link ValidationError} or {@link OutboxError}.
   * @returns False if there is no such dead letter.
   */
  edit(id: number, fields: Fields): Promise<boolean>;

  on<Kind extends EventKind>(kind: Kind, listener: (event: OutboxEvent<Kind>) => void): this;
  once<Kind extends EventKind>(kind: Kind, listener: (event: OutboxEvent<Kind>) => void): this;
  off<Kind extends EventKind>(kind: Kind, listener: (event: OutboxEvent<Kind>) => void): this;

  /** Runs the checks of {@link Client.updateOrder} without sending. */
  validateUpdate(orderId: OrderId, fields?: Fields | null): Validation;

  /** Runs the checks of {@link Client.reportOrder} without sending. */
  validateReport(orderId: OrderId, fields?: Fields | null): Validation;
}
