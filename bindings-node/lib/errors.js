'use strict';
// The tree of errors: the same names and codes as in every other language.

/**
 * @typedef {{ path: string, code: string, message: string, severity: 'error' | 'warning' }} Problem
 * @typedef {{
 *   kind: string, code: string, message: string, retryable: boolean,
 *   problems: Problem[], status: number | null, retryAfter: number | null, ticket: number | null,
 * }} Failure What Rust tells about a call that failed.
 */

class KatalysError extends Error {
  /**
   * @param {string} message
   * @param {Partial<Failure>} [failure]
   */
  constructor(message, failure = {}) {
    super(message);
    this.code = failure.code ?? 'internal';
    this.retryable = failure.retryable ?? false;
    this.ticket = failure.ticket ?? null;
  }
}

class ConfigError extends KatalysError {}

class ValidationError extends KatalysError {
  /**
   * @param {string} message
   * @param {Partial<Failure>} [failure]
   */
  constructor(message, failure = {}) {
    super(message, failure);
    this.problems = failure.problems ?? [];
  }
}

class RejectedError extends KatalysError {
  /**
   * @param {string} message
   * @param {Partial<Failure>} [failure]
   */
  constructor(message, failure = {}) {
    super(message, failure);
    this.status = failure.status ?? 0;
    this.retryAfter = failure.retryAfter ?? null;
  }
}

class TransportError extends KatalysError {}

class TimeoutError extends KatalysError {}

class OutboxError extends KatalysError {}

class OutboxFullError extends KatalysError {}

const classes = {
  KatalysError,
  ConfigError,
  ValidationError,
  RejectedError,
  TransportError,
  TimeoutError,
  OutboxError,
  OutboxFullError,
};

// On the prototype, as with JavaScript's own errors, and by a text that no minifier renames.
for (const [name, errorClass] of Object.entries(classes)) {
  Object.defineProperty(errorClass.prototype, 'name', {
    value: name,
    writable: true,
    configurable: true,
  });
}

/**
 * Only called where the stack leads to the user's own call.
 * @param {Failure} failure
 * @returns {KatalysError}
 */
function errorFrom(failure) {
  const name = /** @type {keyof typeof classes} */ (failure.kind);
  const errorClass = classes[name] ?? KatalysError;
  return new errorClass(failure.message, failure);
}

module.exports = { ...classes, errorFrom };
