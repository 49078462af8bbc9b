// Generated from the core's tables by `make generate`; change core/src/results.rs, core/src/error.rs or core/src/order/problem.rs instead.

/** The rules that a value can break; stable, and the same in every language. */
export type ProblemCode =
  | "required"
  | "empty"
  | "control_character"
  | "invalid_unicode"
  | "wrong_type"
  | "amount_format"
  | "amount_not_finite"
  | "amount_too_long"
  | "amount_negative"
  | "discount_exceeds_sale"
  | "subtotal_mismatch"
  | "subtotal_missing"
  | "count_invalid"
  | "quantity_invalid"
  | "currency_unknown"
  | "time_format"
  | "time_no_offset"
  | "time_impossible"
  | "time_future"
  | "time_before_2000"
  | "time_missing"
  | "ip_invalid"
  | "ip_list"
  | "ip_not_public"
  | "email_unusual"
  | "status_misspelled"
  | "country_unknown"
  | "numbering_start"
  | "numbering_gap"
  | "discount_incomplete"
  | "item_empty"
  | "item_incomplete"
  | "duplicate_field"
  | "key_misspelled"
  | "key_renamed"
  | "key_invalid"
  | "order_id_blanks"
  | "order_id_long"
  | "alias_same"
  | "status_stale"
  | "payload_too_large"
  | "key_numeric"
  | "number_inexact";

/** The codes of each class of errors, without those of its subclasses. */
export interface ErrorCodes {
  ConfigError: "config_missing" | "config_invalid" | "config_unknown";
  ValidationError: "validation";
  RejectedError: "rejected" | "unavailable" | "not_confirmed" | "redirected";
  TransportError: "dns" | "connect" | "disconnected" | "certificate" | "tls" | "protocol" | "proxy";
  TimeoutError: "timeout" | "timeout_pending";
  OutboxError: "outbox_failed" | "outbox_corrupt" | "outbox_newer" | "outbox_foreign" | "outbox_moved" | "outbox_outcome_unknown";
  OutboxFullError: "outbox_full";
  InternalError: "internal" | "misuse" | "library_unavailable";
}
export type ErrorCode = ErrorCodes[keyof ErrorCodes];

/**
 * What can happen to an update of an outbox: the events of a client.
 *
 * - `accepted`: the update is in the outbox.
 * - `delivered`: the endpoint has received the update.
 * - `retried`: an attempt failed; another one follows.
 * - `dead_lettered`: the update will not be sent unless it is replayed.
 * - `discarded`: a dead letter was removed for good.
 * - `failed`: the outbox cannot be read or written, so nothing is delivered; `code` says why.
 */
export type EventKind =
  | "accepted"
  | "delivered"
  | "retried"
  | "dead_lettered"
  | "discarded"
  | "failed";

/** Whether a problem stops the call or is part of its result. */
export type Severity = "error" | "warning";

/** One thing that is wrong or suspicious, where it is, and how to fix it. */
export interface Problem {
  /** Where it is, as the caller wrote it: `sale_amount`, `discounts[1].amount`. */
  readonly path: string;
  /** The rule that was broken. */
  readonly code: ProblemCode;
  /** A sentence that says how to fix it. Holds no customer data. */
  readonly message: string;
  /** `error` stops the call; `warning` is part of the result. */
  readonly severity: Severity;
}

/** The endpoint has received the update. */
export interface Receipt {
  /** Number of requests it took; 0 if another process delivered the update. */
  readonly attempts: number;
  /** Time from the call to the answer, in seconds. */
  readonly elapsed: number;
  /** Suspicious fields, and fields that were left out. */
  readonly warnings: Problem[];
}

/** The outbox has accepted the update: it will be sent even if this process ends. */
export interface Ticket {
  /** Number of the update; numbers rise in the order of acceptance. */
  readonly id: number;
  /** Suspicious fields, and fields that were left out. */
  readonly warnings: Problem[];
}

/** The result of a check without sending. */
export type Validation =
  | {
      /** Whether there is no error among the problems. */
      readonly ok: true;
      /**
       * The exact bytes that would be sent; missing if there is an error among the problems.
       * `console.log` does not show it.
       */
      readonly payload: string;
      /** Everything that was found, errors and warnings. */
      readonly problems: Problem[];
    }
  | {
      /** Whether there is no error among the problems. */
      readonly ok: false;
      /**
       * The exact bytes that would be sent; missing if there is an error among the problems.
       * `console.log` does not show it.
       */
      readonly payload: null;
      /** Everything that was found, errors and warnings. */
      readonly problems: Problem[];
    };

/**
 * Counters of the updates that an outbox has accepted, in any process: `accepted` always
 * equals `delivered` + `pending` + `dead` + `discarded`.
 */
export interface Stats {
  /** Updates accepted since the outbox was created. */
  readonly accepted: number;
  /** Updates that the endpoint has received. */
  readonly delivered: number;
  /** Updates that are neither delivered nor dead letters yet. */
  readonly pending: number;
  /** Pending updates that a process is sending. */
  readonly inFlight: number;
  /** Dead letters: kept until they are replayed or discarded. */
  readonly dead: number;
  /** Dead letters that were discarded. */
  readonly discarded: number;
  /** Age of the oldest pending update, in seconds; 0 if there is none. */
  readonly oldestPendingSeconds: number;
}

/** An update that will not be sent unless it is replayed. */
export interface DeadLetter {
  /** Number of the update, as on its ticket. */
  readonly id: number;
  /** The order's id. `console.log` does not show it. */
  readonly orderId: string;
  /** The site it was reported for. */
  readonly siteId: string;
  /** What was sent, as JSON. Customer data. `console.log` does not show it. */
  readonly payload: string;
  /** HTTP status, if the endpoint refused the update. */
  readonly status: number | null;
  /**
   * `rejected` (by the endpoint), `interrupted` (three attempts never finished) or `expired`
   * (older than `maxAge`).
   */
  readonly code: string;
  /** A description of what happened. Holds no customer data. */
  readonly reason: string;
  /** When it became a dead letter. */
  readonly diedAt: Date;
}

/**
 * Something happened to an update of the outbox, or to the outbox itself. Holds no customer
 * data.
 */
export interface OutboxEvent<Kind extends EventKind = EventKind> {
  /** What happened. */
  readonly kind: Kind;
  /** Number of the update, as on its ticket; 0 for `failed`. */
  readonly id: number;
  /**
   * Sixteen hexadecimal digits, the same for all updates of one order; with `eventOrderIds` as
   * `plain`, the order's id. Empty for `failed`.
   */
  readonly order: string;
  /** Number of requests made so far; 0 if none was made. */
  readonly attempts: number;
  /** HTTP status that led to it, if any. */
  readonly status: number | null;
  /** Why: the code of the error, or of the dead letter. */
  readonly code: string | null;
}

/**
 * The class of all errors of this package. One that is of no other class is an internal
 * error of this library, or a misuse of its interface.
 */
export class KatalysError extends Error {
  /** The stable code, the same in every language. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
  /** Number of requests that were made. */
  readonly attempts: number;
  /**
   * Number of the update in the outbox, if it was accepted before the call failed: it will be
   * sent, or is a dead letter. Do not send it again.
   */
  readonly ticket: number | null;
}

/** The client cannot be created from these settings. */
export class ConfigError extends KatalysError {
  readonly code: ErrorCodes["ConfigError"];
  readonly retryable: false;
}

/** The update is invalid and was not sent. */
export class ValidationError extends KatalysError {
  readonly code: ErrorCodes["ValidationError"];
  readonly retryable: false;
  /** Everything that is wrong with the update, errors and warnings. */
  readonly problems: Problem[];
}

/** The endpoint answered, but not with 204. */
export class RejectedError extends KatalysError {
  readonly code: ErrorCodes["RejectedError"];
  /** HTTP status of the last answer. */
  readonly status: number;
  /** How long the endpoint asked to wait, in seconds, at most five minutes. */
  readonly retryAfter: number | null;
}

/** There was no answer. */
export class TransportError extends KatalysError {
  readonly code: ErrorCodes["TransportError"];
}

/**
 * There was no answer within the time limit. With a ticket, the update is in the outbox and
 * will be sent; do not send it again.
 */
export class TimeoutError extends KatalysError {
  readonly code: ErrorCodes["TimeoutError"];
}

/** The outbox cannot be used, or the update was not accepted. */
export class OutboxError extends KatalysError {
  readonly code: ErrorCodes["OutboxError" | "OutboxFullError"];
}

/** The outbox has reached its capacity; the update was not accepted. */
export class OutboxFullError extends OutboxError {
  readonly code: ErrorCodes["OutboxFullError"];
  readonly retryable: true;
}
