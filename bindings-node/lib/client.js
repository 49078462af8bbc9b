'use strict';
// The client: packs a call, starts it in Rust, and converts its result.

const { captureRejectionSymbol, EventEmitter } = require('node:events');
const native = require('./native.js');
const { errorFrom, resultOf } = require('./convert.js');
const {
  completionOf,
  environment,
  nextCall,
  observe,
  warn,
  warnOfListener,
} = require('./environment.js');
const outbox = require('./outbox.js');
const { packOptions, packOrder, Refusal } = require('./pack.js');

/**
 * @typedef {import('./native.js').NativeClient} NativeClient
 * @typedef {import('../results').Problem} Problem
 * @typedef {import('../results').Receipt} Receipt
 * @typedef {import('../results').Ticket} Ticket
 * @typedef {import('../results').Validation} Validation
 * @typedef {(...args: any[]) => void} Listener
 */

class Client extends EventEmitter {
  /** @type {NativeClient} */
  #native;
  #open;
  #hasOutbox;
  #isObserved = false;

  /**
   * @param {string | object | null} [siteIdOrOptions]
   * @param {object | null} [options]
   */
  constructor(siteIdOrOptions, options) {
    super({ captureRejections: true });
    const siteId = typeof siteIdOrOptions === 'string' ? siteIdOrOptions : undefined;
    const given = (siteId === undefined ? siteIdOrOptions : options) ?? {};
    this.#open = () => open(given, siteId);
    this.#native = this.#open();
    this.#hasOutbox = native.hasOutbox(this.#native);
    this.#keepOpen();
  }

  /**
   * Called when an async listener rejects.
   * @param {unknown} error
   * @param {string | symbol} kind
   */
  [captureRejectionSymbol](error, kind) {
    warnOfListener(String(kind), error);
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  updateOrder(orderId, fields) {
    return this.#send(false, orderId, fields ?? {});
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  reportOrder(orderId, fields) {
    return this.#send(true, orderId, fields ?? {});
  }

  /**
   * @param {boolean} isReport
   * @param {unknown} orderId
   * @param {object} fields
   */
  #send(isReport, orderId, fields) {
    this.#keepOpen();
    return send(this.#native, isReport, orderId, fields);
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  enqueueUpdate(orderId, fields) {
    return this.#enqueue(false, orderId, fields ?? {});
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  enqueueReport(orderId, fields) {
    return this.#enqueue(true, orderId, fields ?? {});
  }

  /**
   * @param {boolean} isReport
   * @param {unknown} orderId
   * @param {object} fields
   */
  #enqueue(isReport, orderId, fields) {
    this.#keepOpen();
    return enqueue(this.#native, isReport, orderId, fields);
  }

  stats() {
    return outbox.stats(this.#native);
  }

  /** @param {number} [timeout] */
  flush(timeout) {
    this.#keepOpen();
    return outbox.flush(this.#native, timeout);
  }

  /** @param {number} [timeout] */
  close(timeout) {
    return outbox.close(this.#native, timeout);
  }

  /** @param {import('../fields').DeadLettersPage | null} [page] */
  deadLetters(page) {
    return outbox.deadLetters(this.#native, page);
  }

  /** @param {number} id */
  replay(id) {
    this.#keepOpen();
    return outbox.replay(this.#native, id);
  }

  /** @param {number} id */
  discard(id) {
    this.#keepOpen();
    return outbox.discard(this.#native, id);
  }

  /**
   * @param {number} id
   * @param {object} fields
   */
  async edit(id, fields) {
    return await outbox.edit(this.#native, id, fields);
  }

  [outbox.REOPEN]() {
    this.#native = this.#open();
    if (this.#isObserved) observe(this.#native, this);
    this.#keepOpen();
  }

  /** The client may send in the background from now on. */
  #keepOpen() {
    if (this.#hasOutbox) outbox.keepOpen(this.#native, this);
  }

  // Every method that adds a listener calls one of these three.

  /**
   * @param {string | symbol} name
   * @param {Listener} listener
   */
  on(name, listener) {
    this.#observe();
    return super.on(name, listener);
  }

  /**
   * @param {string | symbol} name
   * @param {Listener} listener
   */
  addListener(name, listener) {
    this.#observe();
    return super.addListener(name, listener);
  }

  /**
   * @param {string | symbol} name
   * @param {Listener} listener
   */
  prependListener(name, listener) {
    this.#observe();
    return super.prependListener(name, listener);
  }

  /** Events are not created before there is a listener. */
  #observe() {
    if (this.#isObserved) return;
    this.#isObserved = true;
    observe(this.#native, this);
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  validateUpdate(orderId, fields) {
    return validate(this.#native, false, orderId, fields ?? {});
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  validateReport(orderId, fields) {
    return validate(this.#native, true, orderId, fields ?? {});
  }
}

/**
 * @param {unknown} options
 * @param {string | undefined} siteId
 * @returns {NativeClient}
 */
function open(options, siteId) {
  const client = handedOver((isEscaped) => {
    const { packed, tokens } = packOptions(options, siteId, isEscaped);
    return native.openClient(environment, packed, tokens);
  });
  if (typeof client === 'string') throw errorFrom(JSON.parse(client).error);
  return client;
}

/**
 * An async function, so that an error created in it has the caller's `await` in its stack.
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 * @returns {Promise<Receipt>}
 */
async function send(client, isReport, orderId, fields) {
  const call = handOver(native.submit, client, isReport, orderId, fields);
  return resultOf('Receipt', completed(await completionOf(call, client)));
}

/**
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 * @returns {Promise<Ticket>}
 */
async function enqueue(client, isReport, orderId, fields) {
  const call = handOver(native.enqueue, client, isReport, orderId, fields);
  return resultOf('Ticket', completed(await completionOf(call, client)));
}

/**
 * Throws the error of a call and logs its warnings; returns its result.
 * @param {import('./environment.js').Completion} completion
 */
function completed({ result, unlogged, error }) {
  if (error) throw errorFrom(error);
  if (unlogged) for (const { message, code } of unlogged) warn(message, { code });
  return result;
}

/**
 * Starts a call, and returns its number.
 * @param {typeof native.submit} take
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 */
function handOver(take, client, isReport, orderId, fields) {
  const call = nextCall();
  const report = handedOver((isEscaped) => {
    const { packed, tokens } = packOrder(orderId, fields, isEscaped);
    return take(client, call, isReport, packed, tokens);
  });
  if (report !== '') completed(JSON.parse(report));
  return call;
}

/**
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 * @returns {Validation}
 */
function validate(client, isReport, orderId, fields) {
  let found;
  try {
    found = withEscapes((isEscaped) => {
      const { packed, tokens } = packOrder(orderId, fields, isEscaped);
      return native.validate(client, isReport, packed, tokens);
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return validation(null, error.failure.problems);
  }
  if (typeof found === 'string') return validation(found, []);
  const [payload = null, problems] = found;
  return validation(payload, JSON.parse(problems));
}

/**
 * @param {string | null} payload
 * @param {Problem[]} problems
 */
function validation(payload, problems) {
  return resultOf('Validation', { ok: payload !== null, payload, problems });
}

/**
 * Packs a call and starts it; throws the error if it is refused.
 * @template Result
 * @param {(isEscaped: boolean) => Result | null} attempt
 * @returns {Result}
 */
function handedOver(attempt) {
  try {
    return withEscapes(attempt);
  } catch (error) {
    throw error instanceof Refusal ? errorFrom(error.failure) : error;
  }
}

/**
 * Packs a call and starts it. If Rust cannot read the text as it is, packs it again with escapes,
 * which costs more.
 * @template Result
 * @param {(isEscaped: boolean) => Result | null} attempt
 * @returns {Result}
 */
function withEscapes(attempt) {
  const result = attempt(false) ?? attempt(true);
  if (result === null) throw new Error('katalys: values could not be passed to the core');
  return result;
}

module.exports = { Client };
