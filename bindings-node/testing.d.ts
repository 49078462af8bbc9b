// What `katalys/testing` exports. Importing it keeps this process, clients created before and after,
// and child processes from sending to production. A client whose endpoint is on another host sends to
// the sandbox instead, and fails without one; outboxes are files in a temporary folder.

import type { OrderId } from './index';
import type { Problem } from './results';

/** An order as the sandbox has recorded it, with every update of it. */
export interface SandboxOrder {
  order_id: string;
  site_id: string;
  /** The merged fields, with the keys that were sent: `order_status`, `line_item_1_title`. */
  fields: Record<string, unknown>;
  /** The recorded updates, oldest first. */
  updates: {
    received_at: string;
    payload: Record<string, unknown>;
    /** Fields that the endpoint ignores silently. */
    ignored: { field: string; reason: string }[];
    warnings: Problem[];
  }[];
  /** Other ids of this order, from aliases. */
  merged_from: string[];
}

/** Selects orders; an order must match all filters that are given. */
export interface OrdersFilter {
  /** A part of the order's id. */
  order_id?: string;
  status?: string;
  site_id?: string;
  /** The earliest `order_time`: a day, or a time with its offset. */
  from?: string;
  /** The latest `order_time`. */
  to?: string;
  /** Whether the order has warnings or ignored fields. */
  warnings?: boolean;
  offset?: number;
  /** 100 by default, at most 1000. */
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

/** Requests in the order of arrival, at most 1000. */
export interface UpdatesPage {
  updates: {
    seq: number;
    received_at: string;
    site_id: string | null;
    order_id: string | null;
    outcome: 'recorded' | 'refused' | 'faulted';
    /** The HTTP status of the answer; 0 for no answer. */
    status: number;
    payload: unknown;
    [more: string]: unknown;
  }[];
  /** The `since` of the next page. */
  cursor: number;
  more: boolean;
}

/** A fault, and the requests it applies to; the first fault that applies decides. */
export interface Fault {
  status?: number;
  /** Milliseconds. */
  latency?: number;
  hang?: boolean;
  reset?: 'before' | 'after';
  redirect?: string;
  /** Requests per second; further requests are answered with 429. */
  rate?: number;
  /** Seconds. */
  retry_after?: number;
  /** 0 to 1. */
  probability?: number;
  /** The number of requests it applies to. */
  next?: number;
  order_id?: string;
  site_id?: string;
  /** Whether the update is recorded nevertheless. */
  apply?: boolean;
}

export interface SandboxOptions {
  /**
   * The `katalys` program. By default `KATALYS_COMMAND`, the one of `@katalys/cli`, or the one on the
   * PATH.
   */
  command?: string;
}

/** What to wait for. */
export interface Expected {
  status?: string;
  /** The minimum number of updates; 1 by default. */
  updates?: number;
  siteId?: string;
  /** Seconds; 5 by default. */
  timeout?: number;
}

/** A running `katalys sandbox`. It ends with this process, even if that is killed. */
export interface Sandbox {
  /** The URL of its page. */
  readonly url: string;
  /** For a client's option `endpoint`; clients with an endpoint on another host use it by default. */
  readonly endpoint: string;
  /** The order with this id or alias; `siteId` is required if several sites have one. */
  order(orderId: OrderId, options?: { siteId?: string }): Promise<SandboxOrder>;
  orders(filters?: OrdersFilter): Promise<OrdersPage>;
  /** The requests after a cursor. */
  updates(since?: number): Promise<UpdatesPage>;
  /** The order once it is as expected; a `SandboxError` with status 408 if the wait times out. */
  waitFor(orderId: OrderId, expected?: Expected): Promise<SandboxOrder>;
  /** Answers requests with a fault from now on; returns the fault with its `id`. */
  fault(fault: Fault): Promise<Fault & { id: number; hits: number }>;
  /** Removes all faults: requests are answered as by the endpoint. */
  clearFaults(): Promise<void>;
  /** Removes all orders, requests and faults. */
  clear(): Promise<void>;
  /** Ends the sandbox. A running sandbox does not keep this process alive. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The sandbox could not be started, was closed or does not answer (`status` is null), or refused a
 * call with an HTTP status: 404 for an order that does not exist, 408 when a wait times out.
 */
export class SandboxError extends Error {
  constructor(message: string, status?: number | null, cause?: unknown);
  readonly status: number | null;
}

/** Starts `katalys sandbox` on a free port of this machine, empty. */
export function startSandbox(options?: SandboxOptions): Promise<Sandbox>;
