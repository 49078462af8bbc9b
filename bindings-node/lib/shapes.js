'use strict';
// The key lists of earlier records, in a tree. A record with a known list crosses into Rust as the
// number of its shape and its values (see src/shapes.rs).

const native = require('./native.js');
const { environment } = require('./environment.js');

/** The largest number of shapes that are kept: more than a shop uses, and little memory. */
const MAX_SHAPES = 1000;

/** The largest number of keys in the tree, including lists that never became a shape. */
const MAX_KEYS = 20_000;

const UNKNOWN = -1;

let known = 0;
let keys = 0;

/** A list of keys: its last key, and the list of the keys before it. Each list exists once. */
class Shape {
  /**
   * @param {Shape | undefined} parent
   * @param {string} key
   */
  constructor(parent, key) {
    this.parent = parent;
    this.key = key;
    this.number = UNKNOWN;
    /** @type {Map<string, Shape> | undefined} */
    this.children = undefined;
    /** @type {Shape | undefined} The child that was used last, which is likely to be used again. */
    this.lastChild = undefined;
  }

  /**
   * This list and one more key.
   * @param {string} key
   * @returns {Shape}
   */
  with(key) {
    const last = this.lastChild;
    return last !== undefined && last.key === key ? last : this.child(key);
  }

  /** @param {string} key */
  child(key) {
    this.children ??= new Map();
    let shape = this.children.get(key);
    if (shape === undefined) {
      shape = new Shape(this, key);
      this.children.set(key, shape);
      keys += 1;
    }
    this.lastChild = shape;
    return shape;
  }
}

let root = new Shape(undefined, '');

/** The empty list. */
function emptyShape() {
  return root;
}

/**
 * The keys of a shape, in order.
 * @param {Shape} shape
 */
function keysIn(shape) {
  const keys = [];
  for (let at = shape; at.parent; at = at.parent) keys.push(at.key);
  return keys.reverse();
}

/**
 * The number under which Rust knows a shape.
 * @param {Shape} shape
 */
function numberOf(shape) {
  if (shape.number === UNKNOWN) {
    const keys = keysIn(shape);
    shape.number = native.addShape(environment, keys.join('\0'), keys.length);
    known += 1;
  }
  return shape.number;
}

/** Bounds the memory of a program whose keys are different each time. */
function clearIfTooMany() {
  if (known < MAX_SHAPES && keys < MAX_KEYS) return;
  native.clearShapes(environment);
  root = new Shape(undefined, '');
  known = 0;
  keys = 0;
}

module.exports = { emptyShape, keysIn, numberOf, clearIfTooMany };
