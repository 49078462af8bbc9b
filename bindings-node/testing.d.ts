// What `katalys/testing` exports. Importing it keeps production out of reach: of this process, of
// clients made before and after, and of child processes. A client whose endpoint is on another host
// sends to the sandbox in its place, and fails without one; outboxes are files in a temporary folder.

import type { ProblemCode } from './fields';
import type { OrderId } from './index';

/** An order as the sandbox has it, with every update that made it so. */
export interface SandboxOrder {
  order_id: string;
  site_id: string;
  /** The merged fields, as they were sent: `order_status`, `line_item_1_title`. */
  fields: Record<string, unknown>;
  /** Those that were recorded, oldest first. */
  updates: {
    received_at: string;
    payload: Record<string, unknown>;
    /** What the endpoint ignores without a word. */
    ignored: { field: string; reason: string }[];
    warnings: { path: string; code: ProblemCode; message: string; severity: 'error' | 'warning' }[];
  }[];
  /** Other ids that lead to this order. */
  merged_from: string[];
}

/** Which orders; all that are given must fit. */
export interface OrdersFilter {
  /** A part of it. */
  order_id?: string;
  status?: string;
  site_id?: string;
  /** A day, or a time with its offset; of `order_time`. */
  from?: string;
  to?: string;
  /** Whether something about it was suspicious or ignored. */
  warnings?: boolean;
  offset?: number;
  /** 100 if it is not given, at most 1000. */
  limit?: number;
}

/** A part of the list of orders, newest change first. */
export interface OrdersPage {
  orders: {
    order_id: string;
    site_id: string;
    order_status: string;
    /** The number of updates. */
    updates: number;
    [more: string]: unknown;
  }[];
  total: number;
  offset: number;
}

/** Requests as they came, oldest first, at most 1000. */
export interface UpdatesPage {
  updates: {
    seq: number;
    received_at: string;
    site_id: string | null;
    order_id: string | null;
    outcome: 'recorded' | 'refused' | 'faulted';
    /** What it was answered with; 0 for no answer. */
    status: number;
    payload: unknown;
    [more: string]: unknown;
  }[];
  /** The `since` of the next page. */
  cursor: number;
  more: boolean;
}

/** What requests get instead, and which; the first fault that applies decides. */
export interface Fault {
  status?: number;
  /** Milliseconds. */
  latency?: number;
  hang?: boolean;
  reset?: 'before' | 'after';
  redirect?: string;
  /** Requests a second; above, 429. */
  rate?: number;
  /** Seconds. */
  retry_after?: number;
  /** 0 to 1. */
  probability?: number;
  /** The number of requests that it applies to. */
  next?: number;
  order_id?: string;
  site_id?: string;
  /** The update is recorded all the same. */
  apply?: boolean;
}

export interface SandboxOptions {
  /**
   * The `katalys` program; otherwise `KATALYS_COMMAND`, that of `@katalys/cli`, or what is on the
   * PATH.
   */
  command?: string;
}

/** What a wait is for. */
export interface Expected {
  status?: string;
  /** The least number of updates; 1 if it is not given. */
  updates?: number;
  siteId?: string;
  /** Seconds; 5 if it is not given. */
  timeout?: number;
}

/** A running `katalys sandbox`. It ends with this process, however that ends. */
export interface Sandbox {
  /** Where its page is. */
  readonly url: string;
  /** For a client's option `endpoint`; clients of other hosts' endpoints send here by themselves. */
  readonly endpoint: string;
  /** The order of any of its ids; `siteId` if several sites have one. */
  order(orderId: OrderId, options?: { siteId?: string }): Promise<SandboxOrder>;
  orders(filters?: OrdersFilter): Promise<OrdersPage>;
  /** The requests that were read after a cursor. */
  updates(since?: number): Promise<UpdatesPage>;
  /** The order once it is as expected; a `SandboxError` with status 408 when the wait times out. */
  waitFor(orderId: OrderId, expected?: Expected): Promise<SandboxOrder>;
  /** Answers requests with a fault from now on; gives the rule with its `id`. */
  fault(fault: Fault): Promise<Fault & { id: number; hits: number }>;
  /** Answers requests as the endpoint does again. */
  clearFaults(): Promise<void>;
  /** Forgets orders, requests and faults. */
  clear(): Promise<void>;
  /** Ends it. Until then it does not keep this process alive. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The sandbox could not be started, was closed or does not answer (`status` is null), or refused a
 * call with an HTTP status: 404 for an order that is not there, 408 when a wait times out.
 */
export class SandboxError extends Error {
  constructor(message: string, status?: number | null, cause?: unknown);
  readonly status: number | null;
}

/** Starts `katalys sandbox` on a free port of this machine, empty. */
export function startSandbox(options?: SandboxOptions): Promise<Sandbox>;
