// What the package exports. The types of fields and options are in fields.d.ts, which is made
// from the core's tables.

import type { ClientOptions, ErrorCode, OrderFields, ProblemCode } from './fields';

export type {
  Amount,
  ClientOptions,
  Discount,
  ErrorCode,
  FieldValue,
  LineItem,
  OrderFields,
  OrderStatus,
  ProblemCode,
} from './fields';

/** The value of the Thank-You page, exactly. */
export type OrderId = string | number | bigint;

/** One thing that is wrong with an order update, where it is, and how to mend it. */
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
 */
export class Client {
  /**
   * A client from options; what is not given comes from `KATALYS_SITE_ID`, `KATALYS_ENDPOINT`
   * and `KATALYS_TIMEOUT`.
   * @throws {ConfigError} naming the option and how to mend it.
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
  updateOrder(orderId: OrderId, fields?: OrderFields | null): Promise<Receipt>;

  /**
   * Reports an order as a whole, with the fields that the endpoint requires of it. Without an
   * `order_time`, the time of this call is sent.
   *
   * Rejects like {@link Client.updateOrder}.
   */
  reportOrder(orderId: OrderId, fields?: OrderFields | null): Promise<Receipt>;

  /** Checks what {@link Client.updateOrder} would send, and sends nothing. */
  validateUpdate(orderId: OrderId, fields?: OrderFields | null): Validation;

  /** Checks what {@link Client.reportOrder} would send, and sends nothing. */
  validateReport(orderId: OrderId, fields?: OrderFields | null): Validation;
}

/** What all errors of this package are. */
export class KatalysError extends Error {
  /** Stable, and the same in every language. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
}

/** The client cannot be made from these options. */
export class ConfigError extends KatalysError {
  readonly code: 'config_missing' | 'config_invalid' | 'config_unknown';
  readonly retryable: false;
}

/** The update cannot be right, and was not sent. */
export class ValidationError extends KatalysError {
  readonly code: 'validation';
  readonly retryable: false;
  /** Everything that was found, errors and warnings. */
  readonly problems: Problem[];
}

/** The endpoint answered, but not with 204. */
export class RejectedError extends KatalysError {
  readonly code: 'rejected' | 'unavailable' | 'not_confirmed' | 'redirected';
  /** The HTTP status of the last answer. */
  readonly status: number;
  /** How long the endpoint asked to wait, in seconds. */
  readonly retryAfter: number | null;
}

/** There was no answer. */
export class TransportError extends KatalysError {
  readonly code: 'dns' | 'connect' | 'disconnected' | 'certificate' | 'tls' | 'protocol' | 'proxy';
}

/** There was no answer within the time limit. */
export class TimeoutError extends KatalysError {
  readonly code: 'timeout';
  readonly retryable: true;
}
