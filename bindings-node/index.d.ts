// What the package exports. The types of fields and options are in fields.d.ts, which is made
// from the core's tables.

import { EventEmitter } from 'node:events';
import type {
  ClientOptions,
  ErrorCode,
  ErrorCodes,
  EventKind,
  OrderFields,
  ProblemCode,
} from './fields';

export type {
  Amount,
  ClientOptions,
  DecimalLike,
  Discount,
  ErrorCode,
  ErrorCodes,
  EventKind,
  FieldValue,
  LineItem,
  OrderFields,
  OrderStatus,
  ProblemCode,
  Time,
  TimeLike,
} from './fields';

/**
 * What a call is given. Of an instance of a class, its own properties and its getters are sent, or
 * what its `toJSON()` returns.
 */
export type Fields = OrderFields | ReadonlyMap<string, unknown>;

/** The value of the Thank-You page, exactly. */
export type OrderId = string | number | bigint;

/** One thing that is wrong with an order update, where it is, and how to fix it. */
export interface Problem {
  /** What the caller wrote: `sale_amount`, `discounts[1].amount`, `discount_2_amount`. */
  path: string;
  /** The rule that was broken; stable, and the same in every language. */
  code: ProblemCode;
  /** A whole sentence. Never holds what the customer entered. */
  message: string;
  /** An error stops the call; a warning travels with the receipt. */
  severity: 'error' | 'warning';
}

/** The endpoint has the update. */
export interface Receipt {
  /** How many requests it took. */
  attempts: number;
  /** How long it took, in seconds. */
  elapsed: number;
  /** What was suspicious, or was left out. */
  warnings: Problem[];
}

/** The outbox has the update: it will be sent even if this process ends. */
export interface Ticket {
  /** The update's number; numbers rise in the order of acceptance. */
  id: number;
  /** What was suspicious, or was left out. */
  warnings: Problem[];
}

/**
 * What became of the updates of an outbox, by all processes that share it. `accepted` always
 * equals `delivered` + `pending` + `dead` + `discarded`.
 */
export interface Stats {
  /** Updates that were ever accepted. */
  accepted: number;
  /** Those that the endpoint has. */
  delivered: number;
  /** Those that are still to be sent, or are in flight. */
  pending: number;
  /** Those of the pending updates that are in flight. */
  inFlight: number;
  /** Those that will not be sent unless they are replayed. */
  dead: number;
  /** Dead letters that were discarded. */
  discarded: number;
  /** The age of the oldest pending update, in seconds; 0 if there is none. */
  oldestPendingSeconds: number;
}

/** An update that will not be sent unless it is replayed. */
export interface DeadLetter {
  /** Its number, as on its ticket. */
  readonly id: number;
  readonly orderId: string;
  readonly siteId: string;
  /** What was sent, as JSON. Customer data, which `console.log` of the letter does not show. */
  readonly payload: string;
  /** The HTTP status, if the endpoint refused it. */
  readonly status: number | null;
  /**
   * `rejected` by the endpoint, `interrupted` (sending it never finished, three times) or
   * `expired` (older than `maxAge`).
   */
  readonly code: string;
  /** What happened, for people. */
  readonly reason: string;
  readonly diedAt: Date;
}

/**
 * Something that happened to an update of the outbox in this process, or with `failed` to the outbox
 * itself. Holds no customer data.
 */
export interface OutboxEvent<Kind extends EventKind = EventKind> {
  kind: Kind;
  /** The update's number, as on its ticket; 0 for `failed`. */
  id: number;
  /** The order: see the option `eventOrderIds`. */
  order: string;
  /** How many requests were made so far; 0 where none was. */
  attempts: number;
  /** The HTTP status that led to it, if one did. */
  status: number | null;
  /** Why: the code of the error, or as in {@link DeadLetter}. */
  code: string | null;
}

/** The result of a check without sending. */
export type Validation =
  | { ok: true /** The exact text that would be sent. */; payload: string; problems: Problem[] }
  | { ok: false; payload: null; problems: Problem[] };

/**
 * Reports orders of one site. Make one and keep it: it holds the connections.
 *
 * Updates of one order leave in the order in which the calls were made; different orders never
 * wait for each other. Each warning code is shown once per client, as a process warning of the
 * type `KatalysWarning`.
 *
 * @example
 * const client = new Client({ siteId: 'abcd.com' });
 * await client.updateOrder('1001', { order_status: 'paid' });
 *
 * With the option `outbox` it also keeps updates in a file until the endpoint has them, and emits
 * an {@link OutboxEvent} for what happens to each; a listener that throws is a process warning.
 * When the process ends by itself, updates in flight finish within a few seconds and the others
 * stay in the file. Pending updates do not keep the process alive; calls that have not settled do.
 * The calls that need an outbox reject with a {@link ConfigError} where there is none.
 *
 * @example
 * const client = new Client({ siteId: 'abcd.com', outbox: '/var/lib/shop/katalys.db' });
 * client.on('dead_lettered', ({ id, status }) => console.error('refused', id, status));
 * await client.enqueueUpdate('1001', { order_status: 'paid' });
 */
export class Client extends EventEmitter {
  /**
   * A client from options; what is not given comes from `KATALYS_SITE_ID`, `KATALYS_ENDPOINT`
   * and `KATALYS_TIMEOUT`.
   * @throws {ConfigError} naming the option and how to fix it.
   * @throws {KatalysError} with the code `library_unavailable` where the compiled library cannot be
   * loaded, with the reason.
   */
  constructor(options?: ClientOptions | null);
  /** A client for one site. */
  constructor(siteId: string, options?: Omit<ClientOptions, 'siteId'> | null);

  /**
   * Reports what became of an order; settles when the endpoint has it. Whatever is given must
   * be right, and nothing has to be given but the order's id.
   *
   * Rejects with a {@link ValidationError}, {@link RejectedError}, {@link TransportError} or
   * {@link TimeoutError}.
   */
  updateOrder(orderId: OrderId, fields?: Fields | null): Promise<Receipt>;

  /**
   * Reports an order as a whole, with the fields that the endpoint requires of it. Without an
   * `order_time`, the time of this call is sent.
   *
   * Rejects like {@link Client.updateOrder}.
   */
  reportOrder(orderId: OrderId, fields?: Fields | null): Promise<Receipt>;

  /**
   * Accepts what became of an order, and settles when it is safe on disk. It is sent in the
   * background, after the earlier updates of the same order.
   *
   * Rejects with a {@link ValidationError}, {@link OutboxError} or {@link OutboxFullError}; then
   * it was not accepted.
   */
  enqueueUpdate(orderId: OrderId, fields?: Fields | null): Promise<Ticket>;

  /**
   * Accepts an order as a whole, with the fields that the endpoint requires of it.
   *
   * Rejects like {@link Client.enqueueUpdate}.
   */
  enqueueReport(orderId: OrderId, fields?: Fields | null): Promise<Ticket>;

  /** The counters of the outbox. */
  stats(): Promise<Stats>;

  /**
   * Waits until nothing is pending.
   * @param timeout Seconds to wait at most; 10 by default.
   * @returns How many updates are still pending.
   */
  flush(timeout?: number): Promise<number>;

  /**
   * Ends delivery: no further request is sent, updates in flight finish. Without an outbox there is
   * nothing to end, and it returns 0.
   * @param timeout Seconds to wait for that at most; 10 by default.
   * @returns How many updates are pending, for the next process.
   */
  close(timeout?: number): Promise<number>;

  /**
   * Dead letters, in order.
   * @param page `after`: those with a higher number only. `limit`: how many at most, 1000 by
   * default.
   */
  deadLetters(page?: { after?: number; limit?: number } | null): Promise<DeadLetter[]>;

  /** Puts a dead letter back to its place in its order. False if there is none. */
  replay(id: number): Promise<boolean>;

  /** Removes a dead letter for good; it is counted. False if there is none. */
  discard(id: number): Promise<boolean>;

  /**
   * Changes fields of a dead letter, all others staying as they are; `null` takes one out, and
   * `undefined` changes nothing.
   * False if there is no such dead letter.
   *
   * Rejects with a {@link ValidationError} or {@link OutboxError}.
   */
  edit(id: number, fields: Fields): Promise<boolean>;

  on<Kind extends EventKind>(kind: Kind, listener: (event: OutboxEvent<Kind>) => void): this;
  once<Kind extends EventKind>(kind: Kind, listener: (event: OutboxEvent<Kind>) => void): this;
  off<Kind extends EventKind>(kind: Kind, listener: (event: OutboxEvent<Kind>) => void): this;

  /** Checks what {@link Client.updateOrder} would send, and sends nothing. */
  validateUpdate(orderId: OrderId, fields?: Fields | null): Validation;

  /** Checks what {@link Client.reportOrder} would send, and sends nothing. */
  validateReport(orderId: OrderId, fields?: Fields | null): Validation;
}

/** What all errors of this package are. */
export class KatalysError extends Error {
  /** Stable, and the same in every language. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without any change. Only then make it again. */
  readonly retryable: boolean;
  /**
   * The number of the update if it is in the outbox in spite of this error: it will be sent
   * (`timeout_pending`) or is a dead letter (`rejected`).
   */
  readonly ticket: number | null;
}

/** The client cannot be made from these options. */
export class ConfigError extends KatalysError {
  readonly code: ErrorCodes['ConfigError'];
  readonly retryable: false;
}

/** The update is invalid and was not sent. */
export class ValidationError extends KatalysError {
  readonly code: ErrorCodes['ValidationError'];
  readonly retryable: false;
  /** Everything that was found, errors and warnings. */
  readonly problems: Problem[];
}

/** The endpoint answered, but not with 204. */
export class RejectedError extends KatalysError {
  readonly code: ErrorCodes['RejectedError'];
  /** The HTTP status of the last answer. */
  readonly status: number;
  /** How long the endpoint asked to wait, in seconds. */
  readonly retryAfter: number | null;
}

/** There was no answer. */
export class TransportError extends KatalysError {
  readonly code: ErrorCodes['TransportError'];
}

/**
 * There was no answer within the time limit. With the code `timeout_pending` the update is in the
 * outbox and will be sent; it is not to be sent again.
 */
export class TimeoutError extends KatalysError {
  readonly code: ErrorCodes['TimeoutError'];
}

/** The outbox could not be read or written; what was given was not accepted. */
export class OutboxError extends KatalysError {
  readonly code: ErrorCodes['OutboxError'];
}

/** The outbox has reached its capacity; the update was not accepted. */
export class OutboxFullError extends KatalysError {
  readonly code: ErrorCodes['OutboxFullError'];
  readonly retryable: true;
}
