'use strict';
// Packs a call's values into one string, which crosses into Rust several times faster than one
// property at a time. src/unpack.rs reads it: tokens, each \0, a tag and its text.
//
// The core validates values. Only what it has no representation for is refused here: fields that are
// not a record, and more text than an update can hold.

const { fileURLToPath } = require('node:url');
const { types } = require('node:util');
const kinds = require('./kinds.js');
const native = require('./native.js');
const { clearIfTooMany, emptyShape, keysIn, numberOf } = require('./shapes.js');

const { hasOwnProperty: hasOwn } = Object.prototype;

/** The order, its lists, and their records, each of which may be returned by a `toJSON`. */
const MAX_DEPTH = 6;

/** The largest number of keys and entries: packing stops beyond it, and the core refuses. */
const MAX_KEYS = native.maxKeys();

/** Characters; more text than an update can hold in any encoding. */
const MAX_TEXT = 2 ** 24;

/** A record with more keys is sent with its keys instead of a shape. */
const MAX_SHAPE_KEYS = 200;

/** The number of tokens, of keys and entries, and of characters of text so far. */
let tokens = 0;
let keys = 0;
let characters = 0;

/**
 * Whether text is escaped. That is needed only if it holds a \0 or half a surrogate pair, which Rust
 * notices when it reads the string.
 */
let escaping = false;

/** Whether a call is being packed. A getter or `toJSON` of the caller may start another one. */
let isPacking = false;

/**
 * The entries of iterators, which can be read only once; packing with escapes reads them again.
 * @type {WeakMap<object, unknown[]>}
 */
const consumed = new WeakMap();

/** Why values are refused before the core reads them. Becomes an error in the caller's stack. */
class Refusal {
  /** @param {string} report */
  constructor(report) {
    /** @type {import('./convert.js').Failure} */
    this.failure = JSON.parse(report).error;
  }
}

/**
 * Packs an order id and the order's fields.
 * @param {unknown} orderId
 * @param {unknown} fields
 * @param {boolean} isEscaped
 */
function packOrder(orderId, fields, isEscaped) {
  return packed(isEscaped, () => value(orderId, 0) + topLevel(fields, false));
}

/**
 * Packs a client's options.
 * @param {unknown} options
 * @param {string | undefined} siteId Replaces the option of that name.
 * @param {boolean} isEscaped
 */
function packOptions(options, siteId, isEscaped) {
  const given = asRecord(options);
  if (given === null) {
    throw new TypeError(`options is ${kinds.whyNotARecord(options, '{ siteId: "abcd.com" }')}`);
  }
  const all = new Map(entriesOf(given));
  if (siteId !== undefined) all.set('siteId', siteId);
  for (const [name, content] of all) all.set(name, filePath(content));
  return packed(isEscaped, () => pairs(all, 0));
}

/**
 * The path of a `file:` URL, as in Node's own interfaces; any other value unchanged.
 * @param {unknown} content
 */
function filePath(content) {
  return content instanceof URL && content.protocol === 'file:' ? fileURLToPath(content) : content;
}

/**
 * Packs changes to fields: `null` removes a field, `undefined` changes nothing.
 * @param {unknown} fields
 */
function packChanges(fields) {
  return packed(true, () => topLevel(fields, true));
}

/**
 * @param {boolean} isEscaped
 * @param {() => string} write
 */
function packed(isEscaped, write) {
  const outer = isPacking ? { tokens, keys, characters, escaping } : null;
  if (outer === null) clearIfTooMany();
  [tokens, keys, characters] = [0, 0, 0];
  escaping = isEscaped;
  isPacking = true;
  try {
    const text = write();
    return { packed: text, tokens };
  } finally {
    isPacking = outer !== null;
    if (outer !== null) ({ tokens, keys, characters, escaping } = outer);
  }
}

/**
 * The record of fields. Refuses a value without properties, which would be an empty but valid update.
 * @param {any} given
 * @param {boolean} areChanges
 */
function topLevel(given, areChanges) {
  const fields = asRecord(given);
  if (fields === null) {
    throw new Refusal(native.wrongFields(kinds.whyNotARecord(given, '{ order_status: "paid" }')));
  }
  if (!areChanges) return record(fields, 0);
  return pairs(
    [...entriesOf(fields)].filter(([, content]) => content !== undefined),
    0,
  );
}

/**
 * The object or `Map` whose properties are the fields; null if the value is not a record.
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
  if (!escaping) return token('s', given);
  if (!given.isWellFormed()) return token('x', '');
  return token('e', JSON.stringify(given).replaceAll('\ufffd', '\\ufffd'));
}

/** @param {string} given */
function count(given) {
  characters += given.length;
  if (characters > MAX_TEXT) throw new Refusal(native.tooLarge());
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
  if (typeof given.toFixed === 'function') return token('d', String(given)); // decimal.js, big.js, …
  if (kinds.isThenable(given)) return unsupported(given);
  if (typeof given.toJSON === 'function') return asJson(given, depth);
  if (kinds.isIterable(given)) return list(given, depth);
  return isPlain || kinds.hasProperties(given) ? record(given, depth) : unsupported(given);
}

/**
 * Whether an object is a single value, without properties to send.
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

/** Leaves out the annotations in brackets after the offset. */
const PLAIN_ISO = { calendarName: 'never', timeZoneName: 'never' };

/** @param {any} given */
function isTemporal(given) {
  const kind = given[Symbol.toStringTag];
  return typeof kind === 'string' && kind.startsWith('Temporal.');
}

/**
 * An object with `toJSON`, such as the times of many libraries. Those write null for an invalid time,
 * which must not be taken for a missing one.
 * @param {any} given
 * @param {number} depth
 */
function asJson(given, depth) {
  if (depth >= MAX_DEPTH) return unsupported(given);
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
  if (depth < MAX_DEPTH) {
    const entries = Array.isArray(given) ? given : collected(given);
    for (let index = 0; index < entries.length && keys <= MAX_KEYS; index += 1) {
      keys += 1;
      const entry = entries[index];
      // Probably the result of a function without `return`, so it is refused rather than left out.
      packed += entry === undefined ? unsupported(entry) : value(entry, depth + 1);
    }
  }
  return packed + token('.', '');
}

/**
 * The entries of an iterable, up to the number that is always refused.
 * @param {any} given
 */
function collected(given) {
  const earlier = consumed.get(given);
  if (earlier) return earlier;
  /** @type {unknown[]} */
  const entries = [];
  for (const entry of given) {
    entries.push(entry);
    if (entries.length > MAX_KEYS) break;
  }
  if (typeof given.next === 'function') consumed.set(given, entries);
  return entries;
}

/**
 * @param {any} given
 * @param {number} depth
 */
function record(given, depth) {
  if (depth >= MAX_DEPTH) return pairs([], depth);
  const isShaped = !escaping && kinds.isPlain(given);
  return isShaped ? shaped(given, depth) : pairs(entriesOf(given), depth);
}

/**
 * A plain object as the number of its shape and its values in the order of the keys; an object with
 * too many keys for a shape, with its keys.
 * @param {Record<string, unknown>} given
 * @param {number} depth
 */
function shaped(given, depth) {
  const before = { tokens, keys, characters };
  let shape = emptyShape();
  let packed = '';
  let length = 0;
  for (const key in given) {
    if (!hasOwn.call(given, key)) continue;
    length += 1;
    if (length <= MAX_SHAPE_KEYS) {
      keys += 1;
      shape = shape.with(key);
      packed += value(given[key], depth + 1);
      continue;
    }
    if (length === MAX_SHAPE_KEYS + 1) {
      ({ tokens, keys, characters } = before);
      packed = token('{', '');
      for (const earlier of keysIn(shape)) packed += pair(earlier, given[earlier], depth);
    }
    packed += pair(key, given[key], depth);
    if (keys > MAX_KEYS) break;
  }
  if (length > MAX_SHAPE_KEYS) return packed + token('.', '');
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
    if (keys > MAX_KEYS) break;
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
