'use strict';
// The calls of a client with an outbox, and how outboxes are closed at the end of the process.

const native = require('./native.js');
const { errorFrom, resultOf } = require('./convert.js');
const { nextCall, completionOf } = require('./environment.js');
const { packChanges, Refusal } = require('./pack.js');

/** @typedef {import('./native.js').NativeClient} NativeClient */

/**
 * Clients that may be sending in the background, with the emitters of their events. They are not
 * collected before they are closed: the outbox is delivered even if the program drops its client.
 * @type {Map<NativeClient, object>}
 */
const open = new Map();
/** Clients that are paused because the process may be ending, and resume if it is not. */
const paused = new WeakSet();
/** Clients that were closed and no longer send. */
const closed = new WeakSet();
/** The method of a client that opens it again. */
const REOPEN = Symbol('reopen');
let pausesBeforeExit = false;

/**
 * The client may send in the background from now on.
 * @param {NativeClient} client
 * @param {object} emitter
 */
function keepOpen(client, emitter) {
  if (closed.has(client)) return;
  if (!pausesBeforeExit) process.on('beforeExit', pauseAll);
  pausesBeforeExit = true;
  if (paused.delete(client)) native.resume(client);
  open.set(client, emitter);
}

/**
 * Opens every client with an outbox again: `katalys/testing` has replaced the file that its options
 * stand for.
 */
function reopenAll() {
  for (const [client, emitter] of [...open]) {
    open.delete(client);
    native.pause(client);
    /** @type {any} */ (emitter)[REOPEN]();
  }
}

/**
 * The process ends, unless another listener of `beforeExit` starts new work, as runtimes of
 * serverless functions do after each invocation. Node emits the event again after that work, and
 * ends the process if no client is open.
 */
function pauseAll() {
  for (const client of open.keys()) pause(client);
}

/**
 * Updates in flight finish, for up to a few seconds. Pending updates stay on disk until the client is
 * used again or another process delivers them.
 * @param {NativeClient} client
 */
async function pause(client) {
  if (paused.has(client)) return;
  paused.add(client);
  native.pause(client);
  const call = nextCall();
  const refusal = native.waitUntilPaused(client, call);
  if (refusal === '') await completionOf(call, client);
  if (paused.has(client)) open.delete(client);
}

/** @param {NativeClient} client */
async function stats(client) {
  return resultOf('Stats', await run(client, (call) => native.stats(client, call)));
}

/**
 * @param {NativeClient} client
 * @param {unknown} timeout
 */
function flush(client, timeout) {
  return run(client, (call) => native.flush(client, call, seconds(timeout)));
}

/**
 * @param {NativeClient} client
 * @param {unknown} timeout
 */
async function close(client, timeout) {
  const left = await run(client, (call) => {
    const refusal = native.close(client, call, seconds(timeout));
    if (refusal === '') closed.add(client);
    return refusal;
  });
  open.delete(client);
  return left;
}

/**
 * @param {NativeClient} client
 * @param {import('../fields').DeadLettersPage | null} [page]
 */
async function deadLetters(client, page) {
  const { after = 0, limit } = page ?? {};
  mustBeWhole(after, 'after');
  if (limit !== undefined) mustBeWhole(limit, 'limit');
  const letters = await run(client, (call) => native.deadLetters(client, call, after, limit));
  return letters.map((/** @type {object} */ letter) => resultOf('DeadLetter', letter));
}

/**
 * @param {NativeClient} client
 * @param {number} id
 */
async function replay(client, id) {
  mustBeWhole(id, 'id');
  return await run(client, (call) => native.replay(client, call, id));
}

/**
 * @param {NativeClient} client
 * @param {number} id
 */
async function discard(client, id) {
  mustBeWhole(id, 'id');
  return await run(client, (call) => native.discard(client, call, id));
}

/**
 * @param {NativeClient} client
 * @param {number} id
 * @param {unknown} fields
 */
async function edit(client, id, fields) {
  mustBeWhole(id, 'id');
  const { packed, tokens } = packedChanges(fields);
  return await run(client, (call) => native.edit(client, call, id, packed, tokens));
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
 * Starts a call and returns its result. An async function, so that an error created in it has the
 * caller's `await` in its stack.
 * @param {NativeClient} client
 * @param {(call: number) => string} handOver Returns an empty text, or why it is refused, as JSON.
 * @returns {Promise<any>}
 */
async function run(client, handOver) {
  const call = nextCall();
  const refusal = handOver(call);
  if (refusal !== '') throw errorFrom(JSON.parse(refusal).error);
  const { result, error } = await completionOf(call, client);
  if (error) throw errorFrom(error);
  return result;
}

/**
 * The core checks a timeout. A value of another type becomes NaN, which the core refuses.
 * @param {unknown} timeout
 */
function seconds(timeout) {
  if (timeout === undefined) return undefined;
  return typeof timeout === 'number' ? timeout : Number.NaN;
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
