'use strict';
// Every shared vector: fields, and the exact payload or problems that they result in.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { Client } = require('katalys');
const { native, record, optionsFrom } = require('./support/values.js');

const KNOWN_KEYS = ['name', 'why', 'call', 'order_id', 'options', 'fields', 'payload', 'problems'];
const file = path.join(__dirname, '../../tests/vectors.json');
const { vectors } = JSON.parse(readFileSync(file, 'utf8'));
const mine = vectors.filter(({ only }) => !only || only.includes('node'));

describe('shared vectors', () => {
  it('are present, and nearly all can be expressed here', () => {
    assert.ok(mine.length > 150 && mine.length > vectors.length * 0.9);
  });
  for (const vector of mine) it(vector.name, () => check(vector));
});

function check(vector) {
  const { only: _, ...rest } = vector;
  assert.deepEqual(
    Object.keys(rest).filter((key) => !KNOWN_KEYS.includes(key)),
    [],
  );
  const client = new Client(optionsFrom({ site_id: 'abcd.com', ...vector.options }));
  const orderId = 'order_id' in vector ? native(vector.order_id) : '1001';
  const validate = vector.call === 'report' ? client.validateReport : client.validateUpdate;

  const before = seconds();
  const found = validate.call(client, orderId, record(vector.fields));
  const now = new Set([before, seconds()].map(wireTime));

  const payloads = [...now].map((time) => vector.payload?.replace('{now}', time) ?? null);
  assert.ok(payloads.includes(found.payload), `${found.payload}\nis not\n${payloads[0]}`);
  assert.equal(found.ok, vector.payload !== null);
  assert.deepEqual(found.problems.map(brief).sort(), (vector.problems ?? []).map(brief).sort());
  for (const { message } of found.problems) assert.match(message, /\S/);
}

const brief = ({ path, code, severity }) => `${path} ${code} ${severity}`;
const seconds = () => Math.floor(Date.now() / 1000);
const wireTime = (unix) =>
  new Date(unix * 1000).toISOString().replace('T', ' ').replace('.000Z', '+00:00');
