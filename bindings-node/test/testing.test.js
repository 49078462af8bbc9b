'use strict';
// `katalys/testing`, with the real command.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const {
  access,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  symlink,
  utimes,
  writeFile,
} = require('node:fs/promises');
const os = require('node:os');
const path = require('node:path');
const { after, before, beforeEach, describe, it } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { Client, RejectedError } = require('katalys');
const { startSandbox, SandboxError } = require('katalys/testing');
const { runChild } = require('./support/child.js');

const root = path.join(__dirname, '..');
const command = process.env.KATALYS_COMMAND ?? path.join(__dirname, '../../target/debug/katalys');
const isError = (status, message) => (error) =>
  error instanceof SandboxError && error.status === status && message.test(error.message);

describe('a sandbox', () => {
  let sandbox;
  let client;
  before(async () => {
    sandbox = await startSandbox({ command });
    client = new Client({ siteId: 'abcd.com', endpoint: sandbox.endpoint, timeout: 5 });
  });
  beforeEach(() => sandbox.clear());
  after(() => sandbox.close());

  it('returns an order and its updates', async () => {
    await client.updateOrder('a/b ü', { order_status: 'paid', sale_amount: '25.670' });
    await client.updateOrder('a/b ü', { order_status: 'refunded' });
    const { fields, updates } = await sandbox.order('a/b ü');
    assert.deepEqual([fields.order_status, fields.sale_amount], ['refunded', '25.670']);
    assert.deepEqual(
      updates.map(({ payload }) => payload.order_status),
      ['paid', 'refunded'],
    );
    await assert.rejects(sandbox.order('a'), isError(404, /there is no such order/));
    await assert.rejects(sandbox.order('../orders'), isError(404, /there is no such order/));
  });

  it('distinguishes the orders of two sites', async () => {
    const other = new Client({ siteId: 'other.com', endpoint: sandbox.endpoint });
    await client.updateOrder(1001, { order_status: 'paid' });
    await other.updateOrder(1001n, { order_status: 'cancelled' });
    await assert.rejects(sandbox.order(1001), isError(409, /select one with site_id/));
    const { fields } = await sandbox.order(1001n, { siteId: 'other.com' });
    assert.equal(fields.order_status, 'cancelled');
    assert.equal((await sandbox.waitFor(1001, { siteId: 'abcd.com' })).site_id, 'abcd.com');
    const { orders, total } = await sandbox.orders({ status: 'paid', limit: undefined });
    assert.deepEqual([total, orders[0].site_id], [1, 'abcd.com']);
    await assert.rejects(sandbox.orders({ colour: 'red' }), isError(400, /colour/));
  });

  it('waits for an update', async () => {
    await sandbox.fault({ latency: 200 });
    const sent = ['paid', 'refunded'].map((status) =>
      client.updateOrder('1001', { order_status: status }),
    );
    const order = await sandbox.waitFor('1001', { status: 'refunded', updates: 2 });
    assert.equal(order.updates.length, 2);
    await Promise.all(sent);
    const unanswered = sandbox.waitFor('1001', { status: 'cancelled', timeout: 0.2 });
    await assert.rejects(unanswered, isError(408, /the wait timed out/));
  });

  it('answers with faults, and shows every request', async () => {
    const { cursor } = await sandbox.updates();
    const { status, hits } = await sandbox.fault({ status: 503, next: 2 });
    assert.deepEqual([status, hits], [503, 0]);
    assert.equal((await client.updateOrder('1001')).attempts, 3);
    const page = await sandbox.updates(cursor);
    assert.deepEqual(
      page.updates.map((request) => request.status),
      [503, 503, 204],
    );
    assert.deepEqual((await sandbox.updates(page.cursor)).updates, []);
    await sandbox.fault({ status: 400, order_id: '1001' });
    await assert.rejects(client.updateOrder('1001'), RejectedError);
    await sandbox.clearFaults();
    await client.updateOrder('1001');
    await assert.rejects(sandbox.fault({ latenzy: 1 }), isError(400, /latency/));
    await sandbox.clear();
    assert.equal((await sandbox.orders()).total, 0);
  });

  it('has every declared method, and no other', () => {
    const declarations = readFileSync(path.join(root, 'testing.d.ts'), 'utf8');
    const [, body] = declarations.match(/^export interface Sandbox \{\n(.*?)^\}/ms);
    const declared = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name);
    const own = Object.getOwnPropertyNames(Object.getPrototypeOf(sandbox));
    assert.deepEqual(own.sort(), ['constructor', ...declared].sort());
  });

  it('can be disposed of, and closed twice', async () => {
    const other = await startSandbox({ command });
    await other[Symbol.asyncDispose]();
    await Promise.all([other.close(), other.close()]);
    await assert.rejects(other.orders(), isError(null, /^this sandbox was closed; start another/));
  });
});

const PRELUDE = `
  const { startSandbox } = require(${JSON.stringify(path.join(root, 'lib/testing.js'))});
`;
const withCommand = { prelude: PRELUDE, endpoint: '', env: { KATALYS_COMMAND: command } };

// A sandbox shares the stderr of its process, so a child closes only after both have ended.
describe('the process', { timeout: 60_000 }, () => {
  it('ends although a sandbox is open, and ends it', async () => {
    const script = 'startSandbox().then(async (s) => console.log((await s.orders()).total));';
    const { code, stdout, stderr, seconds } = await runChild(script, withCommand);
    assert.deepEqual([code, stdout, stderr], [0, '0\n', '']);
    assert.ok(seconds < 20);
  });

  it('waits for a sandbox to close', async () => {
    const script = `(async () => {
      const sandbox = await startSandbox();
      await sandbox.close();
      console.log('closed');
    })()`;
    const { code, stdout } = await runChild(script, withCommand);
    assert.deepEqual([code, stdout], [0, 'closed\n']);
  });

  it('leaves no sandbox running when it is killed', async () => {
    const script = `${PRELUDE} setInterval(() => {}, 1000);
      Promise.all([startSandbox(), startSandbox()]).then((all) => {
        console.log(JSON.stringify(all.map(({ url }) => url)));
      });
    `;
    const child = spawn(process.execPath, ['-e', script], {
      env: { ...process.env, KATALYS_COMMAND: command },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
    const urls = JSON.parse(line);
    for (const url of urls) assert.equal((await fetch(`${url}/_sandbox/orders`)).status, 200);
    child.kill('SIGKILL');
    for (const url of urls) {
      while (await fetch(url, { headers: { connection: 'close' } }).catch(() => null)) {
        await sleep(10);
      }
    }
  });
});

describe('production', { timeout: 60_000 }, () => {
  let folder;
  let outbox;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'katalys-shop-'));
    outbox = path.join(folder, 'katalys.db');
  });
  after(() => rm(folder, { recursive: true }));

  const katalys = JSON.stringify(root);
  const testing = JSON.stringify(path.join(root, 'lib/testing.js'));
  /** A module of a shop that creates a client when it is loaded. */
  const SHOP = `
    const { Client } = require(${katalys});
    const options = { siteId: 'abcd.com', endpoint: 'https://katalys.invalid/', timeout: 5 };
    const [outbox] = process.argv.slice(2);
  `;

  async function child(script, extra = {}) {
    const options = { prelude: '', endpoint: '', more: [outbox], ...extra };
    const env = { KATALYS_COMMAND: command, KATALYS_TEST_DIR: '' };
    const { code, stdout, stderr } = await runChild(script, { ...options, env });
    assert.equal(code, 0, stderr);
    return stdout.trim().split('\n');
  }

  const pending = () =>
    child(
      `${SHOP} new Client({ ...options, outbox, deliver: false }).stats().then(({ pending }) => console.log(pending));`,
    );

  it('is out of reach of clients created before and after the helper is loaded', async () => {
    const script = `${SHOP}
      const early = new Client(options);
      const { startSandbox } = require(${testing});
      const late = new Client('abcd.com', { endpoint: 'https://katalys.invalid/other' });
      const codes = () => Promise.all([early, late].map((client) =>
        client.updateOrder('1').then(() => 'received', ({ code, message }) => code + ' ' + message)));
      (async () => {
        console.log((await codes()).join('\\n'));
        const sandbox = await startSandbox();
        console.log((await codes()).join('\\n'));
        console.log((await sandbox.order('1')).updates.length);
        await sandbox.close();
        console.log((await codes()).join('\\n'));
        const next = await startSandbox();
        console.log((await codes()).join('\\n'));
        await next.close();
      })();
    `;
    const refused = /^config_invalid tests must not reach katalys\.invalid; use the sandbox/;
    const [a, b, c, d, updates, e, f, g, h] = await child(script);
    for (const line of [a, b, e, f]) assert.match(line, refused);
    assert.deepEqual([c, d, updates, g, h], ['received', 'received', '2', 'received', 'received']);
  });

  it('keeps its outbox: pending updates are neither sent nor changed', async () => {
    await child(`${SHOP}
      const client = new Client({ ...options, outbox, deliver: false });
      Promise.all(['1', '2', '3'].map((id) => client.enqueueUpdate(id))).then(() => client.close());
    `);
    assert.deepEqual(await pending(), ['3']);
    const script = `${SHOP}
      const events = [];
      const early = new Client({ ...options, outbox });
      early.on('delivered', ({ id }) => events.push('delivered ' + id));
      const { startSandbox } = require(${testing});
      const late = new Client({ ...options, outbox: { toJSON: () => outbox } });
      (async () => {
        const sandbox = await startSandbox();
        for (const [at, client] of [early, late].entries()) await client.enqueueUpdate('test-' + at);
        console.log(await early.flush(20));
        const { total } = await sandbox.orders();
        const { accepted } = await late.stats();
        console.log(total, accepted);
        await Promise.all([early.close(), late.close(), sandbox.close()]);
        console.log(events.length > 0, process.env.KATALYS_TEST_DIR);
      })();
    `;
    const [left, counts, told] = await child(script);
    assert.deepEqual([left, counts], ['0', '2 2'], 'both clients share one file of the test run');
    const [heard, own] = told.split(' ');
    assert.equal(heard, 'true');
    await assert.rejects(
      access(own),
      { code: 'ENOENT' },
      'the folder was removed with the process',
    );
    assert.deepEqual(await pending(), ['3']);
  });

  it('is out of reach before any module of the shop, if the helper is preloaded', async () => {
    const script = `${SHOP}
      new Client(options).updateOrder('1').catch(({ code }) => console.log(code));
    `;
    const nodeOptions = ['--import', path.join(root, 'lib/testing.js')];
    assert.deepEqual(await child(script, { nodeOptions }), ['config_invalid']);
  });

  it('is out of reach of child processes and of worker threads', async () => {
    const script = `${SHOP}
      require(${testing});
      const { execFileSync } = require('node:child_process');
      const { Worker } = require('node:worker_threads');
      const code = \`
        const { Client } = require(${katalys.replaceAll('\\', '\\\\')});
        const client = new Client({ siteId: 'abcd.com', endpoint: 'https://katalys.invalid/' });
        client.updateOrder('1').catch(({ code }) => console.log(code));
      \`;
      process.stdout.write(execFileSync(process.execPath, ['-e', code]));
      new Worker(code, { eval: true });
    `;
    assert.deepEqual(await child(script), ['config_invalid', 'config_invalid']);
  });

  it('is not removed by the helper, which removes only folders of earlier test runs', async () => {
    const temporary = await mkdtemp(path.join(os.tmpdir(), 'katalys-tmp-'));
    const named = (pid) => path.join(temporary, `katalys-test-node-${pid}-abc123`);
    const [old, fresh, alive] = [named(2 ** 22 + 1), named(2 ** 22 + 2), named(process.pid)];
    const folders = [old, fresh, alive, path.join(temporary, 'katalys-test-other')];
    for (const made of folders) await mkdir(made);
    for (const made of [old, alive]) await utimes(made, 1, 1);
    const options = { prelude: '', endpoint: '', env: { TMPDIR: temporary, KATALYS_TEST_DIR: '' } };
    const { code, stderr } = await runChild(`require(${testing});`, options);
    assert.deepEqual([code, stderr], [0, '']);
    const left = (await readdir(temporary)).map((name) => path.join(temporary, name));
    assert.deepEqual(left.sort(), folders.slice(1).sort());
    await rm(temporary, { recursive: true });
  });

  it('leaves nothing open that keeps a test runner alive', async () => {
    const script = `
      const { startSandbox } = require(${testing});
      const { Client } = require(${katalys});
      const idle = async () => {
        while (process.getActiveResourcesInfo().some((kind) => kind !== 'PipeWrap' && kind !== 'Immediate')) {
          await new Promise(setImmediate);
        }
      };
      (async () => {
        const client = new Client('abcd.com');
        const sandbox = await startSandbox();
        await client.updateOrder('1');
        await sandbox.order('1');
        await idle();
        console.log('idle while it runs');
        await sandbox.close();
        await idle();
        console.log('idle when it was closed');
      })();
    `;
    assert.deepEqual(await child(script), ['idle while it runs', 'idle when it was closed']);
  });
});

describe('the command', { timeout: 60_000 }, () => {
  let folder;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'katalys-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** A program with the command's name, in a folder of its own. */
  async function program(name, text) {
    const file = path.join(folder, name, 'katalys');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    await chmod(file, 0o755);
    return file;
  }

  const REPORT = `
    startSandbox(JSON.parse(process.argv[2])).then(
      (sandbox) => sandbox.close().then(() => console.log('started')),
      (error) => console.log(error.name, error.status, error.message),
    );
  `;

  async function attempt({ options = {}, env, cwd = folder }) {
    const lib = path.join(root, 'lib/testing.js');
    const script = `const { startSandbox } = require(${JSON.stringify(lib)}); ${REPORT}`;
    const child = spawn(process.execPath, ['-e', script, '', JSON.stringify(options)], {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    await once(child, 'close');
    return said;
  }

  it('is found in the options, the environment, @katalys/cli, and on the PATH', async () => {
    const saying = (word) => `#!/bin/sh\necho ${word} >&2\nexec ${command} "$@"\n`;
    const given = await program('given', saying('given'));
    const named = await program('named', saying('named'));
    const onPath = await program('path', saying('path'));
    const env = { PATH: path.dirname(onPath), KATALYS_COMMAND: named };
    assert.equal(await attempt({ options: { command: given }, env }), 'given\nstarted\n');
    assert.equal(await attempt({ env }), 'named\nstarted\n');
    delete env.KATALYS_COMMAND;
    assert.equal(await attempt({ env }), 'path\nstarted\n');

    // As npm installs it: a launcher, and the program of the platform.
    const shop = path.join(folder, 'shop');
    const packages = path.join(shop, 'node_modules/@katalys');
    await mkdir(path.join(packages, 'cli-linux-x64-gnu'), { recursive: true });
    await cp(path.join(root, '../cli/npm'), path.join(packages, 'cli'), { recursive: true });
    await symlink(
      await program('npm', saying('npm')),
      path.join(packages, 'cli-linux-x64-gnu/katalys'),
    );
    assert.equal(await attempt({ env, cwd: shop }), 'npm\nstarted\n');
  });

  it('that is missing is reported with what to install', async () => {
    const said = await attempt({ env: { PATH: '' } });
    assert.match(said, /^SandboxError null the katalys command is not installed: npm install/);
    const named = await attempt({ env: { KATALYS_COMMAND: '/nowhere/katalys' } });
    assert.match(
      named,
      /^SandboxError null the sandbox could not be started: .*\/nowhere\/katalys/,
    );
  });

  it('that starts no sandbox is an error', async () => {
    for (const text of ['exit 3', 'echo "[]"', 'echo hello; exec sleep 60']) {
      const file = await program('wrong', `#!/bin/sh\n${text}\n`);
      const message = /^SandboxError null .* did not start a sandbox; see its stderr\n$/;
      assert.match(await attempt({ env: { ...process.env, KATALYS_COMMAND: file } }), message);
    }
  });
});
