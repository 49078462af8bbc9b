'use strict';
// The tree of error classes, their properties, and stacks that lead to the caller's own line.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const katalys = require('katalys');
const { startReceiver } = require('./support/receiver.js');

const {
  Client,
  ConfigError,
  KatalysError,
  OutboxError,
  OutboxFullError,
  RejectedError,
  ValidationError,
} = katalys;

const CLASS = /^export class (\w+) extends (\w+) \{\n(.*?)^\}/gms;

let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());

const clientFor = (...steps) =>
  new Client({ siteId: 'abcd.com', endpoint: receiver.run(...steps).endpoint });

describe('error classes', () => {
  it('form one tree, and each has its name', () => {
    const types = readFileSync(path.join(__dirname, '../results.d.ts'), 'utf8');
    const [, table] = types.match(/interface ErrorCodes \{\n(.*?)\}/s);
    const names = [...table.matchAll(/(\w+Error):/g)].map(([, name]) => name);
    assert.ok(names.length > 5 && names.includes('OutboxFullError'));
    for (const name of names.filter((name) => name !== 'InternalError')) {
      const error = new katalys[name]('text');
      assert.ok(error instanceof KatalysError && error instanceof Error);
      assert.equal(error.name, name);
      assert.equal(String(error), `${name}: text`);
      assert.ok(!Object.keys(error).includes('name'));
    }
    assert.equal(new KatalysError('text').name, 'KatalysError');
    assert.ok(new OutboxFullError('text') instanceof OutboxError);
  });

  it('have the declared properties', () => {
    const types = readFileSync(path.join(__dirname, '../results.d.ts'), 'utf8');
    const declared = new Map();
    for (const [, name, parent, body] of types.matchAll(CLASS)) {
      const own = [...body.matchAll(/readonly (\w+):/g)].map(([, property]) => property);
      declared.set(name, new Set([...(declared.get(parent) ?? []), ...own]));
      assert.deepEqual(Object.keys(new katalys[name]('text')), [...declared.get(name)], name);
    }
    assert.ok(declared.get('RejectedError').has('attempts'));
    assert.ok(declared.get('RejectedError').has('retryAfter'));
  });

  it('ConfigError names the option in this language', () => {
    const wrong = () => new Client({ siteId: 'abcd.com', connectTimeout: -1 });
    assert.throws(wrong, (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^connectTimeout must be/);
      assert.match(error.stack, /at wrong .*errors\.test\.js/);
      return true;
    });
    assert.throws(() => new Client({ siteId: 'abcd.com', retries: 3 }), { code: 'config_unknown' });
  });

  it('options may be given after the site id, or not at all', () => {
    assert.throws(() => new Client('abcd.com', { timeout: 0 }), { code: 'config_invalid' });
    assert.throws(() => new Client(), { code: 'config_missing' });
    assert.throws(() => new Client(['abcd.com']), TypeError);
    assert.equal(new Client('abcd.com', null).validateUpdate('1').ok, true);
  });

  it('ValidationError holds all problems and no customer data', async () => {
    const call = clientFor('204').updateOrder('1001', {
      sale_amount: '$25 secret',
      currency: 'secret',
    });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ValidationError);
      assert.deepEqual([error.code, error.retryable], ['validation', false]);
      assert.deepEqual(error.problems.map(({ path }) => path).sort(), ['currency', 'sale_amount']);
      assert.doesNotMatch(JSON.stringify(error.problems) + error.stack, /secret/);
      return true;
    });
  });

  it('RejectedError holds the status and how long to wait', async () => {
    const [gone, busy] = [clientFor('410'), clientFor('503:retry-after=60')];
    const rejected = await gone.updateOrder('1001').catch((error) => error);
    assert.ok(rejected instanceof RejectedError);
    assert.deepEqual(
      [rejected.status, rejected.retryAfter, rejected.code, rejected.attempts],
      [410, null, 'rejected', 1],
    );
    const unavailable = await busy.updateOrder('1001').catch((error) => error);
    assert.deepEqual(
      [unavailable.status, unavailable.retryAfter, unavailable.code],
      [503, 60, 'unavailable'],
    );
    assert.equal(unavailable.retryable, true);
  });
});

describe('the stack of an error', () => {
  async function payTheOrder(client, fields) {
    return await client.updateOrder('1001', fields);
  }

  it('leads to the await of a call that is refused before it is sent', async () => {
    const call = payTheOrder(clientFor('204'), { sale_amount: '$1' });
    await assert.rejects(call, (error) => /payTheOrder .*errors\.test\.js/.test(error.stack));
  });

  it('leads to the await of a call that failed on the network', async () => {
    const call = payTheOrder(clientFor('404'), { order_status: 'paid' });
    await assert.rejects(call, (error) => /async payTheOrder .*errors\.test\.js/.test(error.stack));
  });

  it('leads through Promise.all', async () => {
    const client = clientFor('404');
    async function payBoth() {
      await Promise.all([payTheOrder(client), payTheOrder(client)]);
    }
    await assert.rejects(payBoth(), (error) => /async payBoth/.test(error.stack));
  });
});
