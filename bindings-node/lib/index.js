'use strict';
// The package's entry. Each name is exported in a way that `import { … }` sees as well.

const { Client } = require('./client.js');
const errors = require('./errors.js');

exports.Client = Client;
exports.KatalysError = errors.KatalysError;
exports.ConfigError = errors.ConfigError;
exports.ValidationError = errors.ValidationError;
exports.RejectedError = errors.RejectedError;
exports.TransportError = errors.TransportError;
exports.TimeoutError = errors.TimeoutError;
exports.OutboxError = errors.OutboxError;
exports.OutboxFullError = errors.OutboxFullError;
