'use strict';
// The package's entry. Spread like this, `import { … }` finds each name as well.

module.exports = { ...require('./client.js'), ...require('./errors.js') };
