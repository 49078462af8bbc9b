'use strict';
// Which keys came in which order before: records that look alike cross into Rust as the number
// of their shape and their values alone (see src/shapes.rs).

const native = require('./native.js');
const { environment } = require('./environment.js');

/** The number of shapes that are kept: more than a shop has, and little memory. */
const MOST = 1000;

/** The same for the keys of all lists together, of those too that were begun and never learned. */
const MOST_KEYS = 20_000;

const UNKNOWN = -1;

let known = 0;
let keys = 0;

/** A list of keys: one key, and what came before it. Each list is there once. */
class Shape {
  /**
   * @param {Shape | undefined} before
   * @param {string} key
   */
  constructor(before, key) {
    this.before = before;
    this.key = key;
    this.number = UNKNOWN;
    /** @type {Map<string, Shape> | undefined} */
    this.longer = undefined;
    /** @type {Shape | undefined} The one that was used last, most likely used again. */
    this.last = undefined;
  }

  /**
   * This list and one more key.
   * @param {string} key
   * @returns {Shape}
   */
  after(key) {
    const last = this.last;
    return last !== undefined && last.key === key ? last : this.find(key);
  }

  /** @param {string} key */
  find(key) {
    this.longer ??= new Map();
    let shape = this.longer.get(key);
    if (shape === undefined) {
      shape = new Shape(this, key);
      this.longer.set(key, shape);
      keys += 1;
    }
    this.last = shape;
    return shape;
  }
}

let first = new Shape(undefined, '');

/** The list of no keys. */
function firstShape() {
  return first;
}

/**
 * The keys of a shape, in order.
 * @param {Shape} shape
 */
function keysIn(shape) {
  const keys = [];
  for (let at = shape; at.before; at = at.before) keys.push(at.key);
  return keys.reverse();
}

/**
 * The number under which Rust knows a shape.
 * @param {Shape} shape
 */
function numberOf(shape) {
  if (shape.number === UNKNOWN) {
    const keys = keysIn(shape);
    shape.number = native.learnShape(environment, keys.join('\0'), keys.length);
    known += 1;
  }
  return shape.number;
}

/** Starts over rather than grow without end, as with keys that are different each time. */
function forgetIfTooMany() {
  if (known < MOST && keys < MOST_KEYS) return;
  native.forgetShapes(environment);
  first = new Shape(undefined, '');
  known = 0;
  keys = 0;
}

module.exports = { firstShape, keysIn, numberOf, forgetIfTooMany };
