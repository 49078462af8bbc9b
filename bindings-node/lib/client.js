'use strict';
// The client: packs a call, hands it over, and makes of the result what the user sees.

const native = require('./native.js');
const { environment, nextCall, outcomeOf } = require('./environment.js');
const { errorFrom } = require('./errors.js');
const { packOrder, packRecord } = require('./pack.js');

/**
 * @typedef {import('./native.js').NativeClient} NativeClient
 * @typedef {import('./errors.js').Problem} Problem
 * @typedef {import('./environment.js').Receipt} Receipt
 * @typedef {{ ok: boolean, payload: string | null, problems: Problem[] }} Validation
 */

class Client {
  /** @type {NativeClient} */
  #native;

  /**
   * @param {string | object | null} [siteIdOrOptions]
   * @param {object | null} [options]
   */
  constructor(siteIdOrOptions, options) {
    const given =
      typeof siteIdOrOptions === 'string'
        ? { ...options, siteId: siteIdOrOptions }
        : siteIdOrOptions;
    this.#native = open(given ?? {});
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  updateOrder(orderId, fields) {
    return send(this.#native, false, orderId, fields ?? {});
  }

  /**
   * @param {unknown} orderId
   * @param {object | null} [fields]
   */
  reportOrder(orderId, fields) {
    return send(this.#native, true, orderId, fields ?? {});
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
 * @param {object} options
 * @returns {NativeClient}
 */
function open(options) {
  mustBeRecord(options, 'the options must be an object such as { siteId: "abcd.com" }');
  const client = carefully((withCare) => {
    const { packed, tokens } = packRecord(options, withCare);
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
  const call = handOver(client, isReport, orderId, fields);
  const outcome = await outcomeOf(call);
  if (outcome.error) throw errorFrom(outcome.error);
  return outcome;
}

/**
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 */
function handOver(client, isReport, orderId, fields) {
  mustBeFields(fields);
  const call = nextCall();
  const news = carefully((withCare) => {
    const { packed, tokens } = packOrder(orderId, fields, withCare);
    return native.submit(client, call, isReport, packed, tokens);
  });
  if (news !== '') hear(JSON.parse(news));
  return call;
}

/** @param {{ error?: import('./errors.js').Failure, warnings?: Problem[] }} news */
function hear({ error, warnings = [] }) {
  if (error) throw errorFrom(error);
  for (const { message, code } of warnings) {
    process.emitWarning(message, { type: 'KatalysWarning', code });
  }
}

/**
 * @param {NativeClient} client
 * @param {boolean} isReport
 * @param {unknown} orderId
 * @param {object} fields
 * @returns {Validation}
 */
function validate(client, isReport, orderId, fields) {
  mustBeFields(fields);
  const found = carefully((withCare) => {
    const { packed, tokens } = packOrder(orderId, fields, withCare);
    return native.validate(client, isReport, packed, tokens);
  });
  if (typeof found === 'string') return { ok: true, payload: found, problems: [] };
  const [payload = null, problems] = found;
  return { ok: payload !== null, payload, problems: JSON.parse(problems) };
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

/** @param {unknown} fields */
function mustBeFields(fields) {
  mustBeRecord(fields, 'the fields must be an object such as { order_status: "paid" }');
}

/**
 * @param {unknown} value
 * @param {string} advice
 */
function mustBeRecord(value, advice) {
  if (typeof value !== 'object' || Array.isArray(value)) throw new TypeError(advice);
}

module.exports = { Client };
