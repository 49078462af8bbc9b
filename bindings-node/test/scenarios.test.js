'use strict';
// Every shared scenario: what a client does against a real server.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { promisify } = require('node:util');
const { version } = require('katalys/package.json');
const { startReceiver } = require('./support/receiver.js');
const { runScenario } = require('./support/run-scenario.js');
const { optionsFrom } = require('./support/values.js');

const file = path.join(__dirname, '../../tests/scenarios.json');
const { defaults, scenarios } = JSON.parse(readFileSync(file, 'utf8'));
const SCENARIO_KEYS = 'name steps target endpoint options env calls only expect'.split(' ');
const CALL_CHECKS = 'receipt error code status retryable retry_after setting constructed'.split(
  ' ',
);
const RUN_CHECKS = 'requests connections via headers body at_least_seconds within_seconds'.split(
  ' ',
);

describe('shared scenarios', { concurrency: false }, () => {
  let receiver;
  before(async () => {
    receiver = await startReceiver();
  });
  after(() => receiver.stop());

  for (const scenario of scenarios) {
    const skip = scenario.only && !scenario.only.includes('node');
    it(scenario.name, { skip }, (test) => check(scenario, receiver, test));
  }
});

async function check(scenario, receiver, test) {
  assert.deepEqual(unknown(scenario, SCENARIO_KEYS), []);
  const id = `${process.pid}-${scenario.name}`;
  const fill = filler({ ...flat(receiver.ready), id, language: 'node', version });
  const endpoint = fill(endpointOf(scenario));
  const options = optionsFrom(fill({ ...defaults.options, endpoint, ...scenario.options }));
  const calls = (scenario.calls ?? defaults.calls).map((call) => ({ ...defaults.call, ...call }));
  if (fill.missing) return test.skip(`this system has no ${fill.missing}`);

  const listener = scenario.target ?? defaults.target;
  const connections = await connectionsOf(receiver, listener);
  const result = await run(fill({ options, calls }), fill(scenario.env));
  const expected = fill(scenario.expect);
  checkCalls(result, calls, expected);
  await checkRun({ result, expected, id, endpoint, listener, connections, receiver });
}

function endpointOf({ endpoint, target = defaults.target, steps = [] }) {
  if (endpoint !== undefined) return endpoint;
  return `{${target}}/run/{id}/${steps.join('/')}`;
}

/** Runs a scenario, in a process of its own if it sets environment variables. */
async function run(input, env) {
  if (!env) return runScenario(input);
  const environment = { ...process.env, ...defaults.env, ...env };
  const set = Object.entries(environment).filter(([, value]) => value !== null);
  const script = path.join(__dirname, 'support/run-scenario.js');
  const arguments_ = [script, JSON.stringify(input)];
  const { stdout } = await promisify(execFile)(process.execPath, arguments_, {
    env: Object.fromEntries(set),
  });
  return JSON.parse(stdout);
}

function checkCalls({ construction, outcomes }, calls, expected) {
  const ofCalls = (expectation) => ({
    ...Object.fromEntries(Object.entries(expectation).filter(([key]) => CALL_CHECKS.includes(key))),
  });
  assert.deepEqual(unknown(expected, [...CALL_CHECKS, ...RUN_CHECKS]), []);
  if (construction) return checkOutcome(construction, ofCalls(expected));
  assert.notEqual(expected.error, 'ConfigError', 'the client was created');
  calls.forEach(({ expect }, index) => {
    checkOutcome(outcomes[index], expect ?? ofCalls(expected));
  });
}

function checkOutcome(outcome, { receipt, setting, constructed: _, ...failure }) {
  assert.deepEqual(unknown(failure, CALL_CHECKS), []);
  if (receipt) {
    assert.equal(outcome.error, undefined, outcome.message);
    checkNumber(outcome.receipt.attempts, receipt.attempts, 'attempts');
    assert.ok(outcome.receipt.elapsed > 0);
  }
  for (const [key, value] of Object.entries(failure)) {
    if (value !== null && typeof value === 'object') checkNumber(outcome[key], value, key);
    else assert.equal(outcome[key] ?? null, value, `${key} of ${JSON.stringify(outcome)}`);
  }
  if (setting) assert.ok(bare(outcome.message).includes(bare(setting)), outcome.message);
}

async function checkRun({ result, expected, id, endpoint, listener, connections, receiver }) {
  const { requests, body, headers = {}, via = null } = expected;
  const wait = typeof requests === 'object' ? (requests.min ?? 0) : (requests ?? 0);
  const records = await receiver.recorded(id, { wait });
  if (requests !== undefined) checkNumber(records.length, requests, 'requests');
  for (const record of records) {
    assert.equal(record.method, 'POST');
    assert.equal(record.path, new URL(endpoint ?? record.path, 'http://x').pathname);
    assert.equal(record.headers['content-type'], 'application/json');
    assert.equal(record.via, via);
    for (const [name, value] of Object.entries(headers)) assert.equal(record.headers[name], value);
    if (body !== undefined) assert.equal(record.body, body);
  }
  if (result.outcomes.length === 1) {
    const bodies = records.map((record) => record.body).filter((text) => text !== null);
    assert.ok(new Set(bodies).size <= 1, 'each attempt sends the same');
  }
  if (expected.connections !== undefined) {
    const opened = (await connectionsOf(receiver, listener)) - connections;
    checkNumber(opened, expected.connections, 'connections');
  }
  const { at_least_seconds: min = 0, within_seconds: max = Number.POSITIVE_INFINITY } = expected;
  checkNumber(result.seconds ?? min, { min, max }, 'seconds');
}

async function connectionsOf(receiver, listener) {
  const { listeners } = await receiver.stats();
  return listeners[listener]?.connections ?? 0;
}

function checkNumber(actual, expected, what) {
  if (typeof expected === 'number') return assert.equal(actual, expected, what);
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = expected;
  assert.ok(actual >= min && actual <= max, `${what}: ${actual} is not in ${min}…${max}`);
}

/** Replaces `{key}` in every string; sets `missing` to a key without a value. */
function filler(values) {
  const fill = (value) => {
    if (typeof value === 'string') return value.replace(/\{([a-z_.]+)\}/g, (_, key) => get(key));
    if (Array.isArray(value)) return value.map(fill);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]));
  };
  const get = (key) => {
    assert.ok(key in values, `there is no {${key}}`);
    if (values[key] === null) fill.missing = key;
    return values[key];
  };
  return fill;
}

/** `{tls: {good: 1}}` → `{'tls.good': 1}` */
function flat(object, prefix = '') {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]) =>
      value !== null && typeof value === 'object'
        ? Object.entries(flat(value, `${prefix}${key}.`))
        : [[prefix + key, value]],
    ),
  );
}

const unknown = (object, known) => Object.keys(object).filter((key) => !known.includes(key));
const bare = (text) => text.toLowerCase().replaceAll('_', '');
