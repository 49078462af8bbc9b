'use strict';
// Packs a call's values into one string, which crosses into Rust several times faster than one
// property at a time. src/unpack.rs reads it: tokens, each \0, a tag and its text.
// Nothing is judged here: what a value means and whether it is right is for the core to say.

const { types } = require('node:util');
const { firstShape, forgetIfTooMany, numberOf } = require('./shapes.js');

const { hasOwnProperty: hasOwn } = Object.prototype;

/** The order, its lists, their records, and one more level, which is wrong in any case. */
const DEEPEST = 4;

/** How many tokens there are so far. */
let tokens = 0;

/**
 * Whether each text is looked at. That is needed only where one holds a \0 or half a surrogate
 * pair, which Rust notices when it reads the string.
 */
let careful = false;

/** Whether packing is under way. A getter or `toJSON` of the user's may begin another one. */
let busy = false;

/**
 * Packs an order id and the order's fields.
 * @param {unknown} orderId
 * @param {object} fields
 * @param {boolean} withCare
 */
function packOrder(orderId, fields, withCare) {
  const outer = begin(withCare);
  try {
    const packed = value(orderId, 0) + record(fields, 0);
    return { packed, tokens };
  } finally {
    end(outer);
  }
}

/**
 * Packs a client's options.
 * @param {object} options
 * @param {boolean} withCare
 */
function packRecord(options, withCare) {
  const outer = begin(withCare);
  try {
    const packed = record(options, 0);
    return { packed, tokens };
  } finally {
    end(outer);
  }
}

/** @param {boolean} withCare */
function begin(withCare) {
  const outer = busy ? { tokens, careful } : null;
  if (outer === null) forgetIfTooMany();
  tokens = 0;
  careful = withCare;
  busy = true;
  return outer;
}

/** @param {{ tokens: number, careful: boolean } | null} outer */
function end(outer) {
  busy = outer !== null;
  if (outer !== null) ({ tokens, careful } = outer);
}

/**
 * @param {unknown} given
 * @param {number} depth
 * @returns {string}
 */
function value(given, depth) {
  switch (typeof given) {
    case 'string':
      return text(given);
    case 'number':
      return token(Number.isSafeInteger(given) ? 'i' : 'f', given);
    case 'bigint':
      return token('i', given);
    case 'boolean':
      return token('b', given);
    case 'undefined':
      return token('n', '');
    case 'object':
      return given === null ? token('n', '') : object(given, depth);
    default:
      return token('u', '');
  }
}

/**
 * @param {string} tag
 * @param {string | number | bigint | boolean} content
 */
function token(tag, content) {
  tokens += 1;
  return `\0${tag}${content}`;
}

/** @param {string} given */
function text(given) {
  if (!careful) return token('s', given);
  if (!given.isWellFormed()) return token('x', '');
  return token('e', JSON.stringify(given).replaceAll('\ufffd', '\\ufffd'));
}

/**
 * @param {any} given
 * @param {number} depth
 * @returns {string}
 */
function object(given, depth) {
  if (Array.isArray(given)) return list(given, depth);
  if (types.isMap(given)) return record(given, depth);
  if (types.isDate(given)) return token('t', isoText(given));
  if (types.isBoxedPrimitive(given)) return value(given.valueOf(), depth);
  if (isTemporal(given)) return token('t', given.toString(PLAIN_ISO));
  if (typeof given.toFixed === 'function') return token('d', String(given)); // decimal.js and its kin
  if (ArrayBuffer.isView(given)) return token('u', '');
  if (typeof given.toJSON === 'function') return asJson(given, depth);
  if (Object.prototype.toString.call(given) === '[object Object]') return record(given, depth);
  return token('u', '');
}

/** @param {Date} date */
function isoText(date) {
  return Number.isNaN(date.valueOf()) ? 'Invalid Date' : date.toISOString();
}

/** Without what follows the offset in brackets. */
const PLAIN_ISO = { calendarName: 'never', timeZoneName: 'never' };

/** @param {any} given */
function isTemporal(given) {
  const kind = given[Symbol.toStringTag];
  return typeof kind === 'string' && kind.startsWith('Temporal.');
}

/**
 * An object that says how it wants to be written, as times of many libraries do.
 * @param {{ toJSON(): unknown }} given
 * @param {number} depth
 */
function asJson(given, depth) {
  return depth < DEEPEST ? value(given.toJSON(), depth + 1) : token('u', '');
}

/**
 * @param {unknown[]} given
 * @param {number} depth
 */
function list(given, depth) {
  let packed = token('[', '');
  if (depth < DEEPEST) {
    for (let index = 0; index < given.length; index += 1) packed += value(given[index], depth + 1);
  }
  return packed + token('.', '');
}

/**
 * @param {any} given
 * @param {number} depth
 */
function record(given, depth) {
  if (depth >= DEEPEST) return pairs([], depth);
  if (given.constructor !== Object && types.isMap(given)) return pairs(given, depth);
  return careful ? pairs(Object.entries(given), depth) : shaped(given, depth);
}

/**
 * A record as the number of its shape, and its values in the order of the keys.
 * @param {Record<string, unknown>} given
 * @param {number} depth
 */
function shaped(given, depth) {
  let shape = firstShape();
  let packed = '';
  for (const key in given) {
    if (!hasOwn.call(given, key)) continue;
    shape = shape.after(key);
    packed += value(given[key], depth + 1);
  }
  return token('#', numberOf(shape)) + packed;
}

/**
 * A record with its keys.
 * @param {Iterable<[unknown, unknown]>} given
 * @param {number} depth
 */
function pairs(given, depth) {
  let packed = token('{', '');
  for (const [name, content] of given) {
    const key = String(name);
    packed += text(key.toWellFormed());
    packed += key.isWellFormed() ? value(content, depth + 1) : token('x', '');
  }
  return packed + token('.', '');
}

module.exports = { packOrder, packRecord };
