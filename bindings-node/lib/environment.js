'use strict';
// What all clients of a JavaScript environment (the main thread, or a worker thread) share: the
// native side of it, and the calls whose promises wait for their results.

const native = require('./native.js');

/**
 * @typedef {import('./errors.js').Problem} Problem
 * @typedef {{ attempts: number, elapsed: number, warnings: Problem[] }} Receipt
 * @typedef {Receipt & { error?: import('./errors.js').Failure }} Outcome
 */

/** @type {Map<number, (outcome: Outcome) => void>} */
const pending = new Map();

const environment = native.openEnvironment(deliver);
let calls = 0;

/** A number that no other call in this environment has. */
function nextCall() {
  calls += 1;
  return calls;
}

/**
 * What comes of a call that was just handed over. The process lives on until then.
 * @param {number} call
 * @returns {Promise<Outcome>}
 */
function outcomeOf(call) {
  if (pending.size === 0) native.keepProcessAlive(environment, true);
  return new Promise((resolve) => {
    pending.set(call, resolve);
  });
}

/**
 * Called with all that has arrived: three numbers for each plain receipt, and
 * everything else as JSON.
 * @param {number[]} receipts
 * @param {string | null | undefined} others
 */
function deliver(receipts, others) {
  for (let at = 0; at < receipts.length; at += 3) {
    settle(receipts[at], { attempts: receipts[at + 1], elapsed: receipts[at + 2], warnings: [] });
  }
  if (others) {
    for (const { call, ...outcome } of JSON.parse(others)) settle(call, outcome);
  }
  if (pending.size === 0) native.keepProcessAlive(environment, false);
}

/**
 * @param {number} call
 * @param {Outcome} outcome
 */
function settle(call, outcome) {
  pending.get(call)?.(outcome);
  pending.delete(call);
}

module.exports = { environment, nextCall, outcomeOf };
