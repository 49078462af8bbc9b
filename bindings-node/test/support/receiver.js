'use strict';
// Starts the test server (tests/receiver) and reads what it recorded.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const readline = require('node:readline');

const BINARY =
  process.env.RECEIVER ?? path.join(__dirname, '../../../target/debug/katalys-receiver');

/** A running receiver: its ready line, and functions that use it. */
async function startReceiver() {
  const child = spawn(BINARY, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'error').then(([error]) => Promise.reject(error)),
  ]);
  const ready = JSON.parse(line);
  let runs = 0;
  return {
    ready,
    /** A new run whose requests are answered with these steps. */
    run(...steps) {
      runs += 1;
      const id = `${process.pid}-${runs}`;
      return { id, endpoint: `${ready.url}/run/${id}/${steps.join('/') || '204'}` };
    },
    recorded: (id, { wait = 0, timeout = 10 } = {}) =>
      fetchJson(`${ready.control}/_recorded/${id}?wait=${wait}&timeout=${timeout}`),
    stats: () => fetchJson(`${ready.control}/_stats`),
    async stop() {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}

async function fetchJson(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}

module.exports = { startReceiver };
