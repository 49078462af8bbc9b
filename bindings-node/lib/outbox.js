'use strict';
// What a client with an outbox can do, and what happens to it when the process ends.

const { inspect } = require('node:util');
const native = require('./native.js');
const { nextCall, outcomeOf } = require('./environment.js');
const { errorFrom } = require('./errors.js');
const { packChanges, Refusal } = require('./pack.js');

/**
 * @typedef {import('./native.js').NativeClient} NativeClient
 * @typedef {import('./environment.js').Outcome} Outcome
 */

/** Seconds for updates in flight when the process ends. */
const LAST_SECONDS = 5;
/** Seconds that `flush` and `close` wait by default. */
const DEFAULT_WAIT = 10;
/** The number of dead letters on a page by default. */
const MOST_LETTERS = 1000;

/**
 * Clients that may be sending in the background, with the emitters of their events. They are not
 * collected before they are closed: the program need not hold a client for its outbox to be sent.
 * @type {Map<NativeClient, object>}
 */
const open = new Map();
/** Clients that stopped because the process seemed to end, and resume if it does not. */
const paused = new WeakSet();
/** Clients that were closed, which send nothing any more. */
const closed = new WeakSet();
/** The method of a client that opens it again. */
const REOPEN = Symbol('reopen');
let looksAfterTheEnd = false;

/** An update that will not be sent unless it is replayed. */
class DeadLetter {
  /** @param {any} letter */
  constructor({ diedAt, ...letter }) {
    Object.assign(this, letter);
    this.diedAt = new Date(diedAt * 1000);
  }

  /** Not shown: the payload is customer data, and so is the order's id. */
  [inspect.custom]() {
    const { id, code, status, diedAt } = /** @type {any} */ (this);
    return `DeadLetter ${inspect({ id, code, status, diedAt })}`;
  }
}

/**
 * The client may send in the background from now on.
 * @param {NativeClient} client
 * @param {object} emitter
 */
function keepOpen(client, emitter) {
  if (closed.has(client)) return;
  if (!looksAfterTheEnd) process.on('beforeExit', pauseAll);
  looksAfterTheEnd = true;
  if (paused.delete(client)) native.resume(client);
  open.set(client, emitter);
}

/**
 * Opens every client with an outbox again, with the file that its options mean now that the helper
 * for tests puts another in its place.
 */
function reopenAll() {
  for (const [client, emitter] of [...open]) {
    open.delete(client);
    native.pause(client);
    /** @type {any} */ (emitter)[REOPEN]();
  }
}

/**
 * The process ends, unless another listener of `beforeExit` has more for it to do, as runtimes of
 * serverless functions do after each invocation. Node emits the event again once everything is
 * done, and then no client is open any more.
 */
function pauseAll() {
  for (const client of open.keys()) pause(client);
}

/**
 * Updates in flight finish, within a few seconds; pending ones stay on disk until the client is used
 * again or another process delivers them.
 * @param {NativeClient} client
 */
async function pause(client) {
  if (paused.has(client)) return;
  paused.add(client);
  native.pause(client);
  const call = nextCall();
  const refusal = native.waitUntilPaused(client, call, LAST_SECONDS);
  if (refusal === '') await outcomeOf(call, client);
  if (paused.has(client)) open.delete(client);
}

/** @param {NativeClient} client */
function stats(client) {
  return ask(client, (call) => native.stats(client, call));
}

/**
 * @param {NativeClient} client
 * @param {number} [timeout]
 */
async function flush(client, timeout = DEFAULT_WAIT) {
  mustBeSeconds(timeout);
  return await ask(client, (call) => native.flush(client, call, timeout));
}

/**
 * @param {NativeClient} client
 * @param {number} [timeout]
 */
async function close(client, timeout = DEFAULT_WAIT) {
  mustBeSeconds(timeout);
  if (!native.hasOutbox(client)) return 0;
  closed.add(client);
  const left = await ask(client, (call) => native.close(client, call, timeout));
  open.delete(client);
  return left;
}

/**
 * @param {NativeClient} client
 * @param {{ after?: number, limit?: number } | null} [page]
 */
async function deadLetters(client, page) {
  const { after = 0, limit = MOST_LETTERS } = page ?? {};
  mustBeWhole(after, 'after');
  mustBeWhole(limit, 'limit');
  const letters = await ask(client, (call) => native.deadLetters(client, call, after, limit));
  return letters.map((/** @type {any} */ letter) => new DeadLetter(letter));
}

/**
 * @param {NativeClient} client
 * @param {number} id
 */
async function replay(client, id) {
  mustBeWhole(id, 'id');
  return await ask(client, (call) => native.replay(client, call, id));
}

/**
 * @param {NativeClient} client
 * @param {number} id
 */
async function discard(client, id) {
  mustBeWhole(id, 'id');
  return await ask(client, (call) => native.discard(client, call, id));
}

/**
 * @param {NativeClient} client
 * @param {number} id
 * @param {unknown} fields
 */
async function edit(client, id, fields) {
  mustBeWhole(id, 'id');
  const { packed, tokens } = packedChanges(fields);
  return await ask(client, (call) => native.edit(client, call, id, packed, tokens));
}

/** @param {unknown} fields */
function packedChanges(fields) {
  try {
    return packChanges(fields);
  } catch (error) {
    throw error instanceof Refusal ? errorFrom(error.failure) : error;
  }
}

/**
 * An async function, so that an error made in it has the caller's `await` in its stack.
 * @param {NativeClient} client
 * @param {(call: number) => string} question
 * @returns {Promise<any>}
 */
async function ask(client, question) {
  const call = nextCall();
  const refusal = question(call);
  if (refusal !== '') throw errorFrom(JSON.parse(refusal).error);
  const { answer, error } = await outcomeOf(call, client);
  if (error) throw errorFrom(error);
  return answer;
}

/** @param {unknown} timeout */
function mustBeSeconds(timeout) {
  if (typeof timeout !== 'number' || !(timeout >= 0)) {
    throw new TypeError('the timeout must be a number of seconds, 0 or more');
  }
}

/**
 * @param {unknown} number
 * @param {string} name
 */
function mustBeWhole(number, name) {
  if (!Number.isSafeInteger(number) || /** @type {number} */ (number) < 0) {
    throw new TypeError(`${name} must be a whole number, 0 or more`);
  }
}

module.exports = {
  REOPEN,
  keepOpen,
  reopenAll,
  stats,
  flush,
  close,
  deadLetters,
  replay,
  discard,
  edit,
};
