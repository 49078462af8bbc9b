'use strict';
// Generated from the core's tables by `make generate`; change core/src/error.rs instead.
// The classes of errors. The second argument holds the properties, as Rust returns them.

class KatalysError extends Error {
  /**
   * @param {string} message
   * @param {Record<string, any>} [properties]
   */
  constructor(message, properties = {}) {
    super(message);
    this.code = properties.code ?? 'internal';
    this.retryable = properties.retryable ?? false;
    this.attempts = properties.attempts ?? 0;
    this.ticket = properties.ticket ?? null;
  }
}

class ConfigError extends KatalysError {}

class ValidationError extends KatalysError {
  /**
   * @param {string} message
   * @param {Record<string, any>} [properties]
   */
  constructor(message, properties = {}) {
    super(message, properties);
    this.problems = properties.problems ?? [];
  }
}

class RejectedError extends KatalysError {
  /**
   * @param {string} message
   * @param {Record<string, any>} [properties]
   */
  constructor(message, properties = {}) {
    super(message, properties);
    this.status = properties.status ?? 0;
    this.retryAfter = properties.retryAfter ?? null;
  }
}

class TransportError extends KatalysError {}

class TimeoutError extends KatalysError {}

class OutboxError extends KatalysError {}

class OutboxFullError extends OutboxError {}

module.exports = {
  KatalysError,
  ConfigError,
  ValidationError,
  RejectedError,
  TransportError,
  TimeoutError,
  OutboxError,
  OutboxFullError,
};

// On the prototype, as with JavaScript's own errors, and as a text, which minifiers do not rename.
for (const [name, errorClass] of Object.entries(module.exports)) {
  Object.defineProperty(errorClass.prototype, 'name', {
    value: name,
    writable: true,
    configurable: true,
  });
}
