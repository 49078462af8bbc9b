'use strict';
// Runs one scenario. As a program, for scenarios with their own environment: reads `{options, calls}`
// from the first argument and prints the outcomes.

const { Client, KatalysError } = require('katalys');
const { native } = require('./values.js');

/** Creates the client, makes the calls one after the other, and describes each outcome. */
async function runScenario({ options, calls }) {
  let client;
  try {
    client = new Client(options);
  } catch (error) {
    return { construction: described(error), outcomes: [] };
  }
  const started = performance.now();
  const outcomes = [];
  for (const { call, order_id: orderId, fields } of calls) {
    const method = call === 'report' ? 'reportOrder' : 'updateOrder';
    const outcome = client[method](native(orderId), native(fields));
    outcomes.push(await outcome.then((receipt) => ({ receipt }), described));
  }
  return { outcomes, seconds: (performance.now() - started) / 1000 };
}

function described(error) {
  if (!(error instanceof KatalysError)) throw error;
  const { name, code, message, retryable, status, retryAfter } = error;
  return { error: name, code, message, retryable, status, retry_after: retryAfter };
}

module.exports = { runScenario };

if (require.main === module) {
  runScenario(JSON.parse(process.argv[2])).then((result) => console.log(JSON.stringify(result)));
}
