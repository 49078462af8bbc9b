'use strict';
// Classifies objects: which have properties to send, which are lists, and how a message names the
// others.

const { types } = require('node:util');

const { getPrototypeOf } = Object;
const { hasOwnProperty: hasOwn, toString: tagOf } = Object.prototype;

/** A class name that is safe to show in a message. */
const NAME = /^[\w$ ]{1,60}$/;

/**
 * Whether this is an object literal or an object without a prototype, of any realm.
 * @param {object} given
 */
function isPlain(given) {
  const prototype = getPrototypeOf(given);
  return prototype === Object.prototype || prototype === null || isRoot(prototype);
}

/**
 * Whether this is the `Object.prototype` of any realm.
 * @param {object} prototype
 */
function isRoot(prototype) {
  return getPrototypeOf(prototype) === null && hasOwn.call(prototype, 'isPrototypeOf');
}

/**
 * Whether this is a `Map`, also of another realm, of a library, or behind a proxy that forwards its
 * methods.
 * @param {any} given
 */
function isMap(given) {
  if (types.isMap(given)) return true;
  if (tagOf.call(given) !== '[object Map]') return false;
  try {
    return isIterable(given.entries());
  } catch {
    return false; // A proxy that does not forward the methods of its map.
  }
}

/**
 * Whether this is a promise, or another value that `await` waits for.
 * @param {any} given
 */
function isThenable(given) {
  return typeof given.then === 'function';
}

/** @param {any} given */
function isIterable(given) {
  return typeof given[Symbol.iterator] === 'function';
}

/**
 * Whether an object's content is in its properties. Objects of the language and the platform, such as
 * a `Date`, a `URL` or a `Response`, keep it in internal slots.
 * @param {object} given
 */
function hasProperties(given) {
  return isPlain(given) || tagOf.call(given) === '[object Object]';
}

/**
 * The properties that a class defines with `get`; they are on its prototype, not on the object.
 * @param {object} given
 */
function getterNames(given) {
  /** @type {string[]} */
  const names = [];
  let prototype = getPrototypeOf(given);
  while (prototype !== null && !isRoot(prototype)) {
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (get && !hasOwn.call(given, name) && !names.includes(name)) names.push(name);
    }
    prototype = getPrototypeOf(prototype);
  }
  return names;
}

/**
 * The name of a value in a message: `a Promise`, `an array`, `a string`.
 * @param {any} given
 */
function nameOf(given) {
  if (given === null || given === undefined) return String(given);
  const name = typeof given === 'object' ? classOf(given) : typeof given;
  return `${/^([aeio]|u(?!rl|ni|se))/i.test(name) ? 'an' : 'a'} ${name}`;
}

/** @param {any} given */
function classOf(given) {
  if (Array.isArray(given)) return 'array';
  if (isThenable(given)) return 'Promise';
  const named = given.constructor?.name;
  const name = named && named !== 'Object' ? named : given[Symbol.toStringTag];
  if (typeof name !== 'string' || !NAME.test(name)) return 'object';
  return types.isProxy(given) ? `${name} behind a Proxy` : name;
}

/**
 * Why a value is not a record, and how to fix it.
 * @param {any} given
 * @param {string} example
 */
function whyNotARecord(given, example) {
  const name = nameOf(given);
  const advice = `give an object such as ${example}`;
  if (typeof given === 'function') return `${name}; did you forget to call it?`;
  if (typeof given !== 'object' || given === null) return `${name}; ${advice}`;
  if (isThenable(given)) return `${name}; did you forget await?`;
  if (types.isProxy(given)) return `${name}; ${advice}`;
  if (isIterable(given) && typeof given.get === 'function') {
    return `${name}; Object.fromEntries() makes an object of its entries`;
  }
  const isEmpty = hasProperties(given) && typeof given.toJSON !== 'function';
  return isEmpty ? `${name} without a property that can be read; ${advice}` : `${name}; ${advice}`;
}

module.exports = {
  getterNames,
  hasProperties,
  isIterable,
  isMap,
  isPlain,
  isThenable,
  nameOf,
  whyNotARecord,
};
