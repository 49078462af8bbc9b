'use strict';
// The built tarballs, installed into a new folder as by a user and used by an Express shop.

const assert = require('node:assert/strict');
const { execFile, spawn } = require('node:child_process');
const { once } = require('node:events');
const { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { after, before, describe, it } = require('node:test');
const { promisify } = require('node:util');
const { startReceiver } = require('../../bindings-node/test/support/receiver.js');

const DIST = process.env.DIST ?? path.join(__dirname, '../../dist');
const run = promisify(execFile);

let folder;
let receiver;

before(async () => {
  receiver = await startReceiver();
  folder = await mkdtemp(path.join(tmpdir(), 'katalys-shop-'));
});
after(async () => {
  await receiver.stop();
  await rm(folder, { recursive: true });
});

async function tarballs() {
  const names = await readdir(DIST);
  return names.filter((name) => name.endsWith('.tgz')).map((name) => path.join(DIST, name));
}

describe('the tarballs', () => {
  let empty;
  before(async () => {
    empty = path.join(folder, 'empty');
    await cp(path.join(__dirname, 'shop/report.mjs'), path.join(empty, 'report.mjs'));
    await writeFile(path.join(empty, 'package.json'), '{}');
    // Without a registry, so that only the tarballs are installed.
    const quiet = ['--offline', '--no-audit', '--no-fund', '--registry=http://127.0.0.1:1/'];
    await run('npm', ['install', ...quiet, ...(await tarballs())], { cwd: empty });
  });

  it('install without a network, and install nothing else', async () => {
    const installed = await readdir(path.join(empty, 'node_modules'));
    const packages = installed.filter((name) => !name.startsWith('.')).sort();
    assert.deepEqual(packages, ['@katalys', 'katalys']);
  });

  it('contain the published files and no others', async () => {
    const published = JSON.parse(
      await readFile(path.join(empty, 'node_modules/katalys/package.json'), 'utf8'),
    );
    for (const name of ['workspaces', 'scripts', 'devDependencies']) {
      assert.equal(published[name], undefined, name);
    }
    const files = await readdir(path.join(empty, 'node_modules/katalys'), { recursive: true });
    const modules = await readdir(path.join(__dirname, '../../bindings-node/lib'));
    const expected = [
      'LICENSE-APACHE',
      'LICENSE-MIT',
      'README.md',
      'fields.d.ts',
      'index.d.ts',
      'lib',
      ...modules.map((name) => `lib/${name}`),
      'package.json',
      'results.d.ts',
      'testing.d.ts',
    ];
    assert.deepEqual(files.sort(), expected.sort());
    for (const name of ['type', 'homepage', 'bugs', 'publishConfig', 'repository']) {
      assert.ok(published[name], name);
    }
    const addon = await readdir(path.join(empty, 'node_modules/@katalys/linux-x64-gnu'));
    assert.ok(addon.includes('katalys.linux-x64-gnu.node') && addon.includes('LICENSE-MIT'));
  });

  it('work with require', async () => {
    const script = `
      const { Client } = require('katalys');
      console.log(new Client('abcd.com').validateUpdate('1001').payload);
    `;
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: empty });
    assert.equal(stdout, '{"site_id":"abcd.com","order_id":"1001"}\n');
  });

  it('work with import, in worker threads', async () => {
    const { id, endpoint } = receiver.run('204');
    const { stdout } = await run(process.execPath, ['report.mjs'], {
      cwd: empty,
      env: env(endpoint),
    });
    assert.deepEqual(stdout.trim().split('\n').sort(), ['w-1 1', 'w-2 1']);
    assert.deepEqual((await orders(id, 2)).map(({ order_id }) => order_id).sort(), ['w-1', 'w-2']);
  });

  it('report a compiled library that is not installed', async () => {
    const alone = path.join(folder, 'alone');
    await cp(path.join(empty, 'node_modules/katalys'), path.join(alone, 'node_modules/katalys'), {
      recursive: true,
    });
    const script = `
      const { Client, KatalysError } = require('katalys');
      try {
        new Client('abcd.com');
      } catch (error) {
        console.log(error instanceof KatalysError, error.code, error.message);
      }
    `;
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: alone });
    assert.match(stdout, /^true library_unavailable .* linux-x64 is not installed/);
  });
});

describe('an Express shop', () => {
  let shop;
  before(async () => {
    shop = path.join(folder, 'shop');
    await cp(path.join(__dirname, 'shop'), shop, { recursive: true });
    const quiet = ['--no-audit', '--no-fund'];
    await run('npm', ['ci', ...quiet], { cwd: shop });
    await run('npm', ['install', '--no-save', ...quiet, ...(await tarballs())], { cwd: shop });
  });

  for (const [kind, script] of [
    ['in one process', 'shop.js'],
    ['in a cluster', 'cluster.js'],
  ]) {
    it(`${kind} reports its orders, and closes after SIGTERM`, async () => {
      const { id, endpoint } = receiver.run('204');
      const server = await startServer(shop, script, env(endpoint));
      const items = [{ title: 'A', sku: 'B', price: 25.67, qty: 1 }];
      const paid = await post(`${server.url}/orders/1/paid`, {
        total: '25.67',
        email: 'a@b.c',
        items,
      });
      assert.deepEqual([paid.status, paid.body.attempts, paid.body.warnings], [200, 1, []]);
      const refunds = Array.from({ length: 60 }, (_, at) =>
        post(`${server.url}/orders/${at + 2}/refunded`),
      );
      for (const { status } of await Promise.all(refunds)) assert.equal(status, 200);

      const received = await orders(id, 61);
      assert.deepEqual(received[0], {
        site_id: 'abcd.com',
        order_id: '1',
        order_status: 'paid',
        order_time: '2018-01-01 09:23:40+00:00',
        sale_amount: '25.67',
        shipping_amount: '0',
        tax_amount: '0',
        email_address: 'a@b.c',
        line_item_1_title: 'A',
        line_item_1_sku: 'B',
        line_item_1_price: '25.67',
        line_item_1_qty: 1,
      });
      assert.equal(new Set(received.map(({ order_id }) => order_id)).size, 61);
      await server.stop();
    });
  }

  it('in a cluster with one outbox loses no accepted update when a process is killed', async () => {
    const { id, endpoint } = receiver.run('204', '503', 'slow=30', '204');
    await mkdir(path.join(folder, 'cluster'));
    const server = await startServer(shop, 'cluster.js', {
      ...env(endpoint),
      KATALYS_OUTBOX: path.join(folder, 'cluster/outbox.db'),
      KATALYS_TIMEOUT: '2',
      SHOP_PROCESSES: '4',
    });
    const accepted = new Map();
    async function customer(order) {
      for (let count = 1; count <= 25; count += 1) {
        if (count === 10 && order === 3) process.kill(server.pids[0], 'SIGKILL');
        const call = post(`${server.url}/orders/${order}/paid/soon`, { count }, 10);
        // The update of a request to the killed process may be accepted or not: the caller has no
        // ticket. A connection that was being passed to it stays open without an answer.
        const { status } = await call.catch(() => ({}));
        if (status === 202) accepted.set(order, [...(accepted.get(order) ?? []), count]);
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, order) => customer(order)));
    let counters;
    do {
      counters = await (await fetch(`${server.url}/counters`)).json();
    } while (counters.left > 0);
    assert.equal(counters.accepted, counters.delivered);
    const arrived = new Map();
    for (const { order_id, order_count } of await orders(id, 0)) {
      const counts = arrived.get(order_id) ?? [];
      if (counts.at(-1) !== order_count) arrived.set(order_id, [...counts, order_count]);
    }
    assert.ok([...accepted.values()].flat().length >= 190, 'nearly all updates were accepted');
    for (const [order, counts] of accepted) {
      const came = arrived.get(String(order));
      assert.deepEqual(
        came,
        [...came].sort((a, b) => a - b),
        `${order} arrived in order`,
      );
      const lost = counts.filter((count) => !came.includes(count));
      assert.deepEqual(lost, [], `${order} arrived without gaps`);
    }
    await server.stop();
  });

  it("that ends as in the package's README loses no accepted update", async () => {
    const { id, endpoint } = receiver.run('slow=20');
    const outbox = path.join(folder, 'ended.db');
    const readme = await readFile(path.join(__dirname, '../../bindings-node/README.md'), 'utf8');
    const [, example] = readme.match(/```js\n(import express .*?)```/s);
    const script = example
      .replace('/var/lib/shop/katalys.db', outbox)
      .replace('shop.listen(3000)', 'shop.listen(0, "127.0.0.1")');
    const tell =
      'server.once("listening", () => console.log(JSON.stringify({ url: "http://127.0.0.1:" + server.address().port })));';
    await writeFile(path.join(shop, 'ended.mjs'), `${script}\n${tell}\n`);
    const server = await startServer(shop, 'ended.mjs', env(endpoint));

    const accepted = [];
    let refused = 0;
    const customer = async (name) => {
      for (let order = 0; refused < 8; order += 1) {
        const url = `${server.url}/orders/${name}-${order}/paid`;
        // With keep-alive, like browsers and load balancers.
        const answer = await fetch(url, { method: 'POST' }).catch(() => null);
        if (answer?.status === 202) accepted.push((await answer.json()).id);
        else refused += 1;
      }
    };
    const customers = ['a', 'b', 'c', 'd'].map(customer);
    while (accepted.length < 100) await new Promise((resolve) => setTimeout(resolve, 5));
    const started = performance.now();
    await server.stop();
    const took = performance.now() - started;
    assert.ok(took < 15_000, `it took ${took} ms`);
    await Promise.all(customers);

    const look = `
      const { Client } = require('katalys');
      const client = new Client({ siteId: 'abcd.com', outbox: process.argv[1], deliver: false });
      client.stats().then((stats) => console.log(JSON.stringify(stats)));
    `;
    const { stdout } = await run(process.execPath, ['-e', look, outbox], { cwd: shop });
    const stats = JSON.parse(stdout);
    assert.equal(stats.inFlight, 0, stdout);
    assert.ok(stats.accepted >= accepted.length && stats.delivered > 0, stdout);
    assert.equal(stats.accepted, stats.delivered + stats.pending, stdout);
    const arrived = new Set((await orders(id, stats.delivered)).map(({ order_id }) => order_id));
    assert.equal(arrived.size, stats.delivered);
  });

  it('passes errors to its error handler', async () => {
    const { endpoint } = receiver.run('404');
    const server = await startServer(shop, 'shop.js', env(endpoint));
    const wrong = await post(`${server.url}/orders/1/paid`, { total: '$25.67', email: 'a@b.c' });
    assert.equal(wrong.status, 422);
    assert.deepEqual(
      wrong.body.map(({ path, code }) => [path, code]),
      [['sale_amount', 'amount_format']],
    );
    const refused = await post(`${server.url}/orders/1/refunded`);
    assert.deepEqual([refused.status, refused.body], [502, { code: 'rejected' }]);
    await server.stop();
  });
});

const env = (endpoint) => ({
  ...process.env,
  KATALYS_SITE_ID: 'abcd.com',
  KATALYS_ENDPOINT: endpoint,
});

async function orders(id, count) {
  const records = await receiver.recorded(id, { wait: count });
  return records.filter(({ body }) => body !== null).map(({ body }) => JSON.parse(body));
}

/** Starts a server that prints its URL; `stop` expects it to end by itself with success. */
async function startServer(cwd, script, environment) {
  const child = spawn(process.execPath, [script], {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const failed = once(child, 'close').then(([code]) => Promise.reject(new Error(`ended: ${code}`)));
  failed.catch(() => {}); // Once the server has started, `stop` checks how it ends.
  const lines = readline.createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, 'line'), failed]);
  return {
    ...JSON.parse(line),
    async stop() {
      child.kill('SIGTERM');
      assert.deepEqual(await once(child, 'close'), [0, null]);
    },
  };
}

/** Without keep-alive, so that the cluster's processes take turns. */
async function post(url, body = {}, seconds = 60) {
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const signal = AbortSignal.timeout(seconds * 1000);
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  return { status: answer.status, body: await answer.json() };
}
