'use strict';
// Memory stays flat after a warm-up, for calls that succeed, fail and are refused.

const assert = require('node:assert/strict');
const { mkdtemp, rm } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { runChild } = require('./support/child.js');
const { startReceiver } = require('./support/receiver.js');

/** Megabytes; a leak of 60 bytes per refused call, or of a kilobyte per client, exceeds it. */
const ALLOWED = 3;
/** The maximum number of rounds; one that stays within the limit shows that there is no leak. */
const ROUNDS = 10;
const MEASURE = `
  const ALLOWED = ${ALLOWED};
  let shop;
  const megabytes = () => { gc(); return process.memoryUsage().rss / 2 ** 20; };
  const fields = { order_status: 'paid', sale_amount: '25.67', email_address: 'email@example.com', order_time: new Date(), line_items: [{ title: 'A', sku: 'B', price: 1.99 }] };
  async function round(one, times) {
    const lane = async () => { for (let at = 0; at < times / 32; at += 1) await one(at); };
    await Promise.all(Array.from({ length: 32 }, lane));
    if (shop) await shop.flush(60);
  }
  // A leak grows in every round; the runtime's arenas grow in some. So the round with the least
  // growth decides. Each round is compared with the previous one at the same point, because the
  // next round allocates again what a second collection frees.
  async function growth(one, times) {
    await round(one, times);
    let [before, least] = [megabytes(), Infinity];
    for (let left = ${ROUNDS}; left > 0 && least > ALLOWED; left -= 1) {
      await round(one, times);
      const now = megabytes();
      least = Math.min(least, now - before);
      before = now;
    }
    console.log(least);
  }
`;

describe('memory stays flat', () => {
  let receiver;
  let folder;
  before(async () => {
    receiver = await startReceiver();
    folder = await mkdtemp(path.join(tmpdir(), 'katalys-memory-'));
  });
  after(async () => {
    await receiver.stop();
    await rm(folder, { recursive: true });
  });

  const cases = {
    'over checks': 'growth(async () => client.validateUpdate("1001", fields), 200_000)',
    'over refused calls':
      'growth(async () => client.updateOrder("1001", { currency: "x" }).catch(() => {}), 50_000)',
    'over calls that are sent': 'growth((at) => client.updateOrder("id" + at, fields), 30_000)',
    'over calls that fail':
      'growth((at) => client.updateOrder("id" + at, fields).catch(() => {}), 20_000)',
    'over updates that are enqueued and delivered': `
      const [endpoint, outbox] = process.argv.slice(1);
      shop = new Client({ siteId: 'abcd.com', endpoint, outbox, durability: 'normal' });
      shop.on('delivered', () => {});
      growth((at) => shop.enqueueUpdate("id" + at, fields), 10_000)`,
    'over clients':
      'growth(() => new Promise((done) => setImmediate(done, new Client("abcd.com"))), 3_000)',
  };
  for (const [name, script] of Object.entries(cases)) {
    it(name, async () => {
      const run = receiver.run(name.endsWith('fail') ? '404' : '204');
      const nodeOptions = ['--expose-gc', '--max-semi-space-size=2'];
      // One arena: an arena per thread would grow up to the thread's own peak.
      const env = { MALLOC_ARENA_MAX: '1' };
      const options = { ...run, nodeOptions, env, more: [path.join(folder, 'outbox.db')] };
      const { code, stdout, stderr } = await runChild(`${MEASURE} ${script};`, options);
      assert.equal(code, 0, stderr);
      assert.ok(Number(stdout) <= ALLOWED, `grew by ${stdout.trim()} MB in each round`);
    });
  }
});
