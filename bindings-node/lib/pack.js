'use strict';
// Packs a call's values into one string, which crosses into Rust several times faster than one
// property at a time. src/unpack.rs reads it: tokens, each \0, a tag and its text.
// Whether a value is valid is for the core to say. Only what has no counterpart there is refused
// here: fields that are no record at all, and more than could ever be sent.

const { fileURLToPath } = require('node:url');
const { types } = require('node:util');
const kinds = require('./kinds.js');
const native = require('./native.js');
const { firstShape, forgetIfTooMany, keysIn, numberOf } = require('./shapes.js');

const { hasOwnProperty: hasOwn } = Object.prototype;

/** The order, its lists, their records, each of them perhaps by way of `toJSON`. */
const DEEPEST = 6;

/** More keys and entries than one update can hold: conversion stops, and the core refuses. */
const MOST_KEYS = native.maxKeys();

/** More text than one update can hold, however it is written. */
const MOST_TEXT = 2 ** 24;

/** A record with more keys is not remembered by its shape. */
const LONGEST_SHAPE = 200;

/** How many tokens, keys and entries, and characters of text there are so far. */
let tokens = 0;
let keys = 0;
let characters = 0;

/**
 * Whether each text is looked at. That is needed only where one holds a \0 or half a surrogate
 * pair, which Rust notices when it reads the string.
 */
let careful = false;

/** Whether packing is under way. A getter or `toJSON` of the user's may begin another one. */
let busy = false;

/**
 * What iterators gave that can be read only once: packing with care reads them again.
 * @type {WeakMap<object, unknown[]>}
 */
const drained = new WeakMap();

/** Why values are refused before the core sees them; becomes an error where the caller's stack is. */
class Refusal {
  /** @param {string} report */
  constructor(report) {
    /** @type {import('./errors.js').Failure} */
    this.failure = JSON.parse(report).error;
  }
}

/**
 * Packs an order id and the order's fields.
 * @param {unknown} orderId
 * @param {unknown} fields
 * @param {boolean} withCare
 */
function packOrder(orderId, fields, withCare) {
  return packed(withCare, () => value(orderId, 0) + outermost(fields, false));
}

/**
 * Packs a client's options.
 * @param {unknown} options
 * @param {string | undefined} siteId What stands for the option of that name.
 * @param {boolean} withCare
 */
function packOptions(options, siteId, withCare) {
  const given = asRecord(options);
  if (given === null) {
    throw new TypeError(`options is ${kinds.whyNoRecord(options, '{ siteId: "abcd.com" }')}`);
  }
  const all = new Map(entriesOf(given));
  if (siteId !== undefined) all.set('siteId', siteId);
  for (const [name, content] of all) all.set(name, withoutScheme(content));
  return packed(withCare, () => pairs(all, 0));
}

/**
 * A file's URL as its path, as everywhere in Node.
 * @param {unknown} content
 */
function withoutScheme(content) {
  return content instanceof URL && content.protocol === 'file:' ? fileURLToPath(content) : content;
}

/**
 * Packs changes to fields: `null` takes one out, `undefined` changes nothing.
 * @param {unknown} fields
 */
function packChanges(fields) {
  return packed(true, () => outermost(fields, true));
}

/**
 * @param {boolean} withCare
 * @param {() => string} write
 */
function packed(withCare, write) {
  const outer = busy ? { tokens, keys, characters, careful } : null;
  if (outer === null) forgetIfTooMany();
  [tokens, keys, characters] = [0, 0, 0];
  careful = withCare;
  busy = true;
  try {
    const text = write();
    return { packed: text, tokens };
  } finally {
    busy = outer !== null;
    if (outer !== null) ({ tokens, keys, characters, careful } = outer);
  }
}

/**
 * The fields themselves. What has no properties would be an update that says nothing, as if all
 * were well.
 * @param {any} given
 * @param {boolean} areChanges
 */
function outermost(given, areChanges) {
  const fields = asRecord(given);
  if (fields === null) {
    throw new Refusal(native.wrongFields(kinds.whyNoRecord(given, '{ order_status: "paid" }')));
  }
  if (!areChanges) return record(fields, 0);
  return pairs(
    [...entriesOf(fields)].filter(([, content]) => content !== undefined),
    0,
  );
}

/**
 * The object or `Map` whose properties are the fields; null if there is none.
 * @param {any} given
 * @returns {any}
 */
function asRecord(given) {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return null;
  const isPlain = kinds.isPlain(given);
  if (!isPlain && kinds.isMap(given)) return given;
  if ((!isPlain && isValue(given)) || kinds.isThenable(given)) return null;
  if (typeof given.toJSON === 'function') {
    const written = given.toJSON();
    return typeof written === 'object' && written !== null && kinds.isPlain(written)
      ? written
      : null;
  }
  if (kinds.isIterable(given)) return null;
  if (isPlain) return given;
  return kinds.hasProperties(given) && keysOf(given).length > 0 ? given : null;
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
      return unsupported(given);
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

/** @param {unknown} given */
function unsupported(given) {
  return token('u', kinds.nameOf(given));
}

/** @param {string} given */
function text(given) {
  count(given);
  if (!careful) return token('s', given);
  if (!given.isWellFormed()) return token('x', '');
  return token('e', JSON.stringify(given).replaceAll('\ufffd', '\\ufffd'));
}

/** @param {string} given */
function count(given) {
  characters += given.length;
  if (characters > MOST_TEXT) throw new Refusal(native.tooLarge());
}

/**
 * @param {any} given
 * @param {number} depth
 * @returns {string}
 */
function object(given, depth) {
  if (Array.isArray(given)) return list(given, depth);
  const isPlain = kinds.isPlain(given);
  if (!isPlain) {
    if (kinds.isMap(given)) return record(given, depth);
    if (types.isDate(given)) return token('t', isoText(given));
    if (types.isBoxedPrimitive(given)) return value(given.valueOf(), depth);
    if (isTemporal(given)) return token('t', given.toString(PLAIN_ISO));
    if (ArrayBuffer.isView(given)) return unsupported(given);
  }
  if (typeof given.toFixed === 'function') return token('d', String(given)); // decimal.js and its kin
  if (kinds.isThenable(given)) return unsupported(given);
  if (typeof given.toJSON === 'function') return asJson(given, depth);
  if (kinds.isIterable(given)) return list(given, depth);
  return isPlain || kinds.hasProperties(given) ? record(given, depth) : unsupported(given);
}

/**
 * A single value, which has no properties to send.
 * @param {any} given
 */
function isValue(given) {
  if (typeof given.toFixed === 'function' || ArrayBuffer.isView(given)) return true;
  return types.isDate(given) || types.isBoxedPrimitive(given) || isTemporal(given);
}

/** @param {Date} date */
function isoText(date) {
  return Number.isNaN(date.valueOf()) ? INVALID_TIME : date.toISOString();
}

const INVALID_TIME = 'Invalid Date';

/** Without what follows the offset in brackets. */
const PLAIN_ISO = { calendarName: 'never', timeZoneName: 'never' };

/** @param {any} given */
function isTemporal(given) {
  const kind = given[Symbol.toStringTag];
  return typeof kind === 'string' && kind.startsWith('Temporal.');
}

/**
 * An object that says how it wants to be written, as times of many libraries do. Those write null
 * for a time that is not valid, which does not mean that none was given.
 * @param {any} given
 * @param {number} depth
 */
function asJson(given, depth) {
  if (depth >= DEEPEST) return unsupported(given);
  const written = given.toJSON();
  if (written !== null && written !== undefined) return value(written, depth + 1);
  return 'isValid' in given ? token('t', INVALID_TIME) : unsupported(given);
}

/**
 * @param {Iterable<unknown>} given
 * @param {number} depth
 */
function list(given, depth) {
  let packed = token('[', '');
  if (depth < DEEPEST) {
    const entries = Array.isArray(given) ? given : gathered(given);
    for (let index = 0; index < entries.length && keys <= MOST_KEYS; index += 1) {
      keys += 1;
      const entry = entries[index];
      // Most likely what a function forgot to return, so it is not left out without a word.
      packed += entry === undefined ? unsupported(entry) : value(entry, depth + 1);
    }
  }
  return packed + token('.', '');
}

/**
 * What an iterable gives, up to the number that is refused in any case.
 * @param {any} given
 */
function gathered(given) {
  const earlier = drained.get(given);
  if (earlier) return earlier;
  /** @type {unknown[]} */
  const entries = [];
  for (const entry of given) {
    entries.push(entry);
    if (entries.length > MOST_KEYS) break;
  }
  if (typeof given.next === 'function') drained.set(given, entries);
  return entries;
}

/**
 * @param {any} given
 * @param {number} depth
 */
function record(given, depth) {
  if (depth >= DEEPEST) return pairs([], depth);
  const isShaped = !careful && kinds.isPlain(given);
  return isShaped ? shaped(given, depth) : pairs(entriesOf(given), depth);
}

/**
 * A plain object as the number of its shape, and its values in the order of the keys; one with a
 * great many keys, with its keys.
 * @param {Record<string, unknown>} given
 * @param {number} depth
 */
function shaped(given, depth) {
  const before = { tokens, keys, characters };
  let shape = firstShape();
  let packed = '';
  let length = 0;
  for (const key in given) {
    if (!hasOwn.call(given, key)) continue;
    length += 1;
    if (length <= LONGEST_SHAPE) {
      keys += 1;
      shape = shape.after(key);
      packed += value(given[key], depth + 1);
      continue;
    }
    if (length === LONGEST_SHAPE + 1) {
      ({ tokens, keys, characters } = before);
      packed = token('{', '');
      for (const earlier of keysIn(shape)) packed += pair(earlier, given[earlier], depth);
    }
    packed += pair(key, given[key], depth);
    if (keys > MOST_KEYS) break;
  }
  if (length > LONGEST_SHAPE) return packed + token('.', '');
  return token('#', numberOf(shape)) + packed;
}

/**
 * The keys and values of a record.
 * @param {any} given
 * @returns {Iterable<[unknown, unknown]>}
 */
function* entriesOf(given) {
  if (kinds.isMap(given)) return yield* given.entries();
  for (const key of keysOf(given)) yield [key, given[key]];
}

/**
 * @param {object} given
 * @returns {string[]}
 */
function keysOf(given) {
  const own = Object.keys(given);
  return kinds.isPlain(given) ? own : [...own, ...kinds.getterNames(given)];
}

/**
 * A record with its keys.
 * @param {Iterable<[unknown, unknown]>} given
 * @param {number} depth
 */
function pairs(given, depth) {
  let packed = token('{', '');
  for (const [key, content] of given) {
    packed += pair(String(key), content, depth);
    if (keys > MOST_KEYS) break;
  }
  return packed + token('.', '');
}

/**
 * @param {string} key
 * @param {unknown} content
 * @param {number} depth
 */
function pair(key, content, depth) {
  keys += 1;
  return (
    text(key.toWellFormed()) + (key.isWellFormed() ? value(content, depth + 1) : token('x', ''))
  );
}

module.exports = { packOrder, packOptions, packChanges, Refusal };
