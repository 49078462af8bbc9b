'use strict';
// Converts the typed values of tests/vectors.json to JavaScript's.

/** The conversion of each `{"$type": …}`. */
const TYPES = {
  $float: (text) => (text === 'NaN' ? Number.NaN : Number(text)),
  $int: (digits) => BigInt(digits),
  $time: (text) => new Date(text),
  $utf16: (units) => String.fromCharCode(...units),
  $repeat: ([text, times]) => text.repeat(times),
};

function native(value) {
  if (Array.isArray(value)) return value.map(native);
  if (value === null || typeof value !== 'object') return value;
  const [[key, content] = []] = Object.entries(value);
  if (!key?.startsWith('$')) return record(value);
  const convert = TYPES[key];
  if (!convert) throw new Error(`no value of the type ${key} in JavaScript`);
  return convert(content);
}

/** Without a prototype, so that a key like `__proto__` is a key. */
function record(object) {
  const result = Object.create(null);
  for (const [key, value] of Object.entries(object)) result[key] = native(value);
  return result;
}

const camelCase = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

/** Options of the shared files with the names of this package. */
function optionsFrom(options) {
  const given = Object.entries(options).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([name, value]) => [camelCase(name), native(value)]));
}

module.exports = { native, record, optionsFrom };
