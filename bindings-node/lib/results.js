'use strict';
// Generated from the core's tables by `make generate`; change core/src/results.rs instead.
// How results arrive from Rust.

/**
 * Results that can arrive as numbers alone, by the place of their table: how many numbers, and the
 * result made of them.
 * @type {Record<number, { size: number, read(numbers: number[], at: number): object }>}
 */
const numeric = {
  // Receipt
  1: {
    size: 2,
    read: (numbers, at) => ({
      attempts: numbers[at],
      elapsed: numbers[at + 1],
      warnings: [],
    }),
  },
  // Ticket
  2: {
    size: 1,
    read: (numbers, at) => ({
      id: numbers[at],
      warnings: [],
    }),
  },
};

/**
 * By the name of a result: fields that hold a point in time, as Unix seconds, and fields that hold
 * customer data.
 * @type {Record<string, { times: string[], hidden: string[] }>}
 */
const fields = {
  Problem: { times: [], hidden: [] },
  Receipt: { times: [], hidden: [] },
  Ticket: { times: [], hidden: [] },
  Validation: { times: [], hidden: ['payload'] },
  Stats: { times: [], hidden: [] },
  DeadLetter: { times: ['diedAt'], hidden: ['orderId', 'payload'] },
  PendingUpdate: { times: [], hidden: ['orderId', 'payload'] },
  Event: { times: [], hidden: [] },
};

module.exports = { fields, numeric };
