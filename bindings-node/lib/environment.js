'use strict';
// What all clients of a JavaScript environment (the main thread, or a worker thread) share: the
// native environment, the promises of pending calls, and the emitters of events.

const { inspect } = require('node:util');
const { resultOf } = require('./convert.js');
const native = require('./native.js');
const { numeric } = require('./results.js');

/**
 * @typedef {import('../results').OutboxEvent} OutboxEvent
 * @typedef {import('../results').Problem} Problem
 * @typedef {import('./native.js').NativeClient} NativeClient
 * @typedef {{
 *   result?: any, unlogged?: Problem[], error?: import('./convert.js').Failure,
 * }} Completion The end of a call; `unlogged` are warnings to be logged.
 * @typedef {{ emit(kind: string, event: object): boolean }} Emitter
 * @typedef {(
 *   numbers: number[], others: string | null | undefined, news: string | null | undefined,
 * ) => void} Deliver
 */

/**
 * The pending calls, by number. Each holds its client, which must not be collected before the call
 * completes.
 * @type {Map<number, { resolve: (completion: Completion) => void, client: NativeClient }>}
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
 * The last failure of a listener, by kind of event.
 * @type {Map<string, string>}
 */
const listenerFailures = new Map();

/** A number that no other call in this environment has. */
function nextCall() {
  calls += 1;
  return calls;
}

/**
 * The completion of a call that was just started. Keeps the process alive until then.
 * @param {number} call
 * @param {NativeClient} client
 * @returns {Promise<Completion>}
 */
function completionOf(call, client) {
  if (pending.size === 0) native.keepProcessAlive(environment, true);
  return new Promise((resolve) => {
    pending.set(call, { resolve, client });
  });
}

/**
 * Registers the emitter that emits the events of a client from now on.
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
 * Called with the contents of the completion queue: results that are numbers alone, and as JSON all
 * other results, and events and log lines.
 * @type {Deliver}
 */
function deliver(numbers, others, news) {
  if (news) publish(JSON.parse(news));
  let at = 0;
  while (at < numbers.length) {
    const { size, read } = numeric[numbers[at + 1]];
    settle(numbers[at], { result: read(numbers, at + 2) });
    at += 2 + size;
  }
  if (others) {
    for (const { call, ...completion } of JSON.parse(others)) settle(call, completion);
  }
  if (pending.size === 0) native.keepProcessAlive(environment, false);
}

/**
 * @param {number} call
 * @param {Completion} completion
 */
function settle(call, completion) {
  pending.get(call)?.resolve(completion);
  pending.delete(call);
}

/**
 * Emits events, and shows log lines as process warnings.
 * @param {{ events: { client: number, event: OutboxEvent }[], logged: string[] }} news
 */
function publish({ events, logged }) {
  for (const { client, event } of events) {
    const emitter = emitters.get(client)?.deref();
    try {
      emitter?.emit(event.kind, resultOf('Event', event));
    } catch (error) {
      warnOfListener(event.kind, error);
    }
  }
  for (const line of logged) {
    // The core logs a condition again as long as it lasts.
    if (line !== lastLogged) warn(line);
    lastLogged = line;
  }
}

/**
 * Reports a listener that fails. The failure affects nothing else: the event has already happened.
 * @param {string} kind
 * @param {unknown} error
 */
function warnOfListener(kind, error) {
  const detail = (error instanceof Error && error.stack) || inspect(error);
  if (listenerFailures.get(kind) === detail) return; // It fails in the same way for every update.
  listenerFailures.set(kind, detail);
  const message = `a listener for "${kind}" failed; the update itself is not affected`;
  warn(message, { code: 'listener_failed', detail });
}

/**
 * Shows a process warning. A call does not fail if the warning cannot be shown.
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

module.exports = { environment, nextCall, completionOf, observe, warn, warnOfListener };
