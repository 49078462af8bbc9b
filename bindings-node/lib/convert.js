'use strict';
// Converts what Rust returns into errors and results.

const { inspect } = require('node:util');
const errors = require('./errors.js');
const { fields } = require('./results.js');

/**
 * @typedef {{ kind: string, message: string, [property: string]: any }} Failure An error as Rust
 * returns it.
 */

/** @type {Record<string, typeof errors.KatalysError | undefined>} */
const classes = errors;

/**
 * Must be called while the caller's code is on the stack, so that the error's stack shows it.
 * @param {Failure} failure
 */
function errorFrom({ kind, message, ...properties }) {
  const errorClass = classes[kind] ?? errors.KatalysError;
  return new errorClass(message, properties);
}

/**
 * A result as the caller receives it: points in time are dates, and a dump shows no customer data.
 * @param {string} name The name of its table.
 * @param {any} values Its fields as Rust returns them; they become the result.
 */
function resultOf(name, values) {
  const { times, hidden } = fields[name];
  for (const field of times) {
    if (values[field] !== null) values[field] = new Date(values[field] * 1000);
  }
  return hidden.length === 0 ? values : Object.defineProperty(values, inspect.custom, dumps[name]);
}

/**
 * How results with customer data are shown, by the names of their tables.
 * @type {Record<string, PropertyDescriptor>}
 */
const dumps = {};
for (const [name, { hidden }] of Object.entries(fields)) {
  dumps[name] = {
    /**
     * @this {Record<string, any>}
     * @param {number} _depth
     * @param {import('node:util').InspectOptions} options
     */
    value(_depth, options) {
      const shown = { ...this };
      for (const field of hidden) {
        if (shown[field] !== null) shown[field] = new Hidden(shown[field]);
      }
      return `${name} ${inspect(shown, options)}`;
    },
  };
}

/** Stands for customer data in a dump. */
class Hidden {
  #size;

  /** @param {unknown} value */
  constructor(value) {
    this.#size = Buffer.byteLength(String(value));
  }

  [inspect.custom]() {
    return `(${this.#size} bytes)`;
  }
}

module.exports = { errorFrom, resultOf };
