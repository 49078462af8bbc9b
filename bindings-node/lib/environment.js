'use strict';
// What all clients of a JavaScript environment (the main thread, or a worker thread) share: its
// native side, the calls whose promises wait for results, and the emitters of events.

const { inspect } = require('node:util');
const native = require('./native.js');

/**
 * @typedef {import('./errors.js').Problem} Problem
 * @typedef {import('./native.js').NativeClient} NativeClient
 * @typedef {{ attempts: number, elapsed: number, warnings: Problem[] }} Receipt
 * @typedef {{ id: number, warnings: Problem[] }} Ticket
 * @typedef {{
 *   answer?: any, unlogged?: Problem[], error?: import('./errors.js').Failure,
 * }} Other What comes with a receipt or a ticket, or in its place.
 * @typedef {Receipt & Ticket & Other} Outcome
 * @typedef {{ emit(kind: string, event: object): boolean }} Emitter
 * @typedef {(
 *   numbers: number[], others: string | null | undefined, news: string | null | undefined,
 * ) => void} Deliver
 */

/**
 * With the client, which must not be collected while it has something to do.
 * @type {Map<number, { resolve: (outcome: any) => void, client: NativeClient }>}
 */
const pending = new Map();

/** @type {Map<number, WeakRef<Emitter>>} */
const emitters = new Map();
const collected = new FinalizationRegistry((/** @type {number} */ number) => {
  emitters.delete(number);
});

const environment = native.openEnvironment(deliver);
let calls = 0;
let clients = 0;
let lastLogged = '';
/**
 * How the listeners of each kind of events failed last.
 * @type {Map<string, string>}
 */
const failures = new Map();

/** A number that no other call in this environment has. */
function nextCall() {
  calls += 1;
  return calls;
}

/**
 * What comes of a call that was just handed over. The process lives on until then.
 * @param {number} call
 * @param {NativeClient} client
 * @returns {Promise<Outcome>}
 */
function outcomeOf(call, client) {
  if (pending.size === 0) native.keepProcessAlive(environment, true);
  return new Promise((resolve) => {
    pending.set(call, { resolve, client });
  });
}

/**
 * From now on this emitter emits what happens to the updates of that client.
 * @param {NativeClient} client
 * @param {Emitter} emitter
 */
function observe(client, emitter) {
  clients += 1;
  emitters.set(clients, new WeakRef(emitter));
  collected.register(emitter, clients);
  native.observe(client, clients);
}

/**
 * Called with all that has arrived: three numbers for each plain receipt or ticket, and
 * everything else as JSON.
 * @type {Deliver}
 */
function deliver(numbers, others, news) {
  if (news) tell(JSON.parse(news));
  for (let at = 0; at < numbers.length; at += 3) {
    const [call, attempts, amount] = [numbers[at], numbers[at + 1], numbers[at + 2]];
    if (attempts === 0) settle(call, { id: amount, warnings: [] });
    else settle(call, { attempts, elapsed: amount, warnings: [] });
  }
  if (others) {
    for (const { call, ...outcome } of JSON.parse(others)) settle(call, outcome);
  }
  if (pending.size === 0) native.keepProcessAlive(environment, false);
}

/**
 * @param {number} call
 * @param {object} outcome
 */
function settle(call, outcome) {
  pending.get(call)?.resolve(outcome);
  pending.delete(call);
}

/** @param {{ events: { client: number, kind: string }[], logged: string[] }} news */
function tell({ events, logged }) {
  for (const { client, ...event } of events) {
    const emitter = emitters.get(client)?.deref();
    try {
      emitter?.emit(event.kind, event);
    } catch (error) {
      warnOfListener(event.kind, error);
    }
  }
  for (const line of logged) {
    // A condition that lasts is logged again and again.
    if (line !== lastLogged) warn(line);
    lastLogged = line;
  }
}

/**
 * A listener that fails is reported, and stops nothing: what it was told of has happened.
 * @param {string} kind
 * @param {unknown} error
 */
function warnOfListener(kind, error) {
  const detail = (error instanceof Error && error.stack) || inspect(error);
  if (failures.get(kind) === detail) return; // It fails in the same way for every update.
  failures.set(kind, detail);
  const message = `a listener for "${kind}" failed; the update itself is not affected`;
  warn(message, { code: 'listener_failed', detail });
}

/**
 * Shows a process warning. What keeps that from being shown is no reason for a call to fail.
 * @param {string} message
 * @param {{ code?: string, detail?: string }} [more]
 */
function warn(message, more) {
  try {
    process.emitWarning(message, { type: 'KatalysWarning', ...more });
  } catch {
    // The program replaced emitWarning.
  }
}

module.exports = { environment, nextCall, outcomeOf, observe, warn, warnOfListener };
