'use strict';
// The package's entry. With the names spread like this, `import { … }` finds each of them as well.

module.exports = { ...require('./client.js'), ...require('./errors.js') };
