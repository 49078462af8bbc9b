'use strict';
// The client: packs a call, hands it over, and turns the result into what the user sees.

const { captureRejectionSymbol, EventEmitter } = require('node:events');
const native = require('./native.js');
const {
  environment,
  nextCall,
  observe,
  outcomeOf,
  warn,
  warnOfListener,
} = require('./environment.js');
const { errorFrom } = require('./errors.js');
const outbox = require('./outbox.js');
const { packOptions, packOrder, Refusal } = require('./pack.js');

/**
 * @typedef {import('./native.js').NativeClient} NativeClient
 * @typedef {import('./errors.js').Problem} Problem
 * @typedef {import('./environment.js').Receipt} Receipt
 * @typedef {import('./environment.js').Ticket} Ticket
 * @typedef {(...args: any[]) => void} Listener
 * @typedef {{ ok: boolean, payload: string | null, problems: Problem[] }} Validation
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
    this.#used();
  }

  /**
   * What an async listener rejects with.
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
    this.#used();
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
    this.#used();
    return enqueue(this.#native, isReport, orderId, fields);
  }

  stats() {
    return outbox.stats(this.#native);
  }

  /** @param {number} [timeout] */
  flush(timeout) {
    this.#used();
    return outbox.flush(this.#native, timeout);
  }

  /** @param {number} [timeout] */
  close(timeout) {
    return outbox.close(this.#native, timeout);
  }

  /** @param {{ after?: number, limit?: number } | null} [page] */
  deadLetters(page) {
    return outbox.deadLetters(this.#native, page);
  }

  /** @param {number} id */
  replay(id) {
    this.#used();
    return outbox.replay(this.#native, id);
  }

  /** @param {number} id */
  discard(id) {
    this.#used();
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
    this.#used();
  }

  /** It may send in the background from now on. */
  #used() {
    if (this.#hasOutbox) outbox.keepOpen(this.#native, this);
  }

  // Every way to add a listener goes through one of these three.

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

  /** Nothing is observed, and nothing costs, before there is a listener. */
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
  const client = handedOver((withCare) => {
    const { packed, tokens } = packOptions(options, siteId, withCare);
    return native.openClient(environment, packed, tokens);
  });
  if (typeof client === 'string') throw errorFrom(JSON.parse(client).error);
  return client;
}

/**
 * An async function, so that an error made in it has the caller's `await` in its stack.
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 * @returns {Promise<Receipt>}
 */
async function send(client, isReport, orderId, fields) {
  const call = handOver(native.submit, client, isReport, orderId, fields);
  return success(await outcomeOf(call, client));
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
  return success(await outcomeOf(call, client));
}

/** @param {import('./environment.js').Outcome} outcome */
function success(outcome) {
  if (outcome.error) throw errorFrom(outcome.error);
  if (outcome.unlogged) {
    hear({ warnings: outcome.unlogged });
    delete outcome.unlogged;
  }
  return outcome;
}

/**
 * @param {typeof native.submit} take
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 */
function handOver(take, client, isReport, orderId, fields) {
  const call = nextCall();
  const news = handedOver((withCare) => {
    const { packed, tokens } = packOrder(orderId, fields, withCare);
    return take(client, call, isReport, packed, tokens);
  });
  if (news !== '') hear(JSON.parse(news));
  return call;
}

/** @param {{ error?: import('./errors.js').Failure, warnings?: Problem[] }} news */
function hear({ error, warnings = [] }) {
  if (error) throw errorFrom(error);
  for (const { message, code } of warnings) warn(message, { code });
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
    found = carefully((withCare) => {
      const { packed, tokens } = packOrder(orderId, fields, withCare);
      return native.validate(client, isReport, packed, tokens);
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, payload: null, problems: error.failure.problems };
  }
  if (typeof found === 'string') return { ok: true, payload: found, problems: [] };
  const [payload = null, problems] = found;
  return { ok: payload !== null, payload, problems: JSON.parse(problems) };
}

/**
 * Packs and hands over; throws what the caller sees.
 * @template Result
 * @param {(withCare: boolean) => Result | null} attempt
 * @returns {Result}
 */
function handedOver(attempt) {
  try {
    return carefully(attempt);
  } catch (error) {
    throw error instanceof Refusal ? errorFrom(error.failure) : error;
  }
}

/**
 * Packs and hands over the quick way, and only if Rust then asks for it, with care.
 * @template Result
 * @param {(withCare: boolean) => Result | null} attempt
 * @returns {Result}
 */
function carefully(attempt) {
  const result = attempt(false) ?? attempt(true);
  if (result === null) throw new Error('katalys: values could not be handed over');
  return result;
}

module.exports = { Client };
