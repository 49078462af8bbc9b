'use strict';
// Runs a script in a process of its own, with `Client` and `client` defined.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const PRELUDE = `
  const { Client } = require(${JSON.stringify(path.join(__dirname, '../..'))});
  const client = new Client({ siteId: 'abcd.com', endpoint: process.argv[1] });
`;

/** The process's exit code, signal and output, and how long it ran. */
async function runChild(script, options) {
  const { endpoint, prelude = PRELUDE, nodeOptions = [], more = [], env = {} } = options;
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [...nodeOptions, '-e', prelude + script, endpoint, ...more],
    {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    },
  );
  const output = { stdout: '', stderr: '' };
  for (const name of Object.keys(output)) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const [code, signal] = await once(child, 'close');
  return { code, signal, ...output, seconds: (performance.now() - started) / 1000 };
}

module.exports = { runChild };
