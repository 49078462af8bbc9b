'use strict';
// A client with an outbox: no accepted update is lost, even if processes and threads are killed.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { mkdtemp, rm } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { after, before, describe, it } = require('node:test');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { Worker } = require('node:worker_threads');
const { inspect } = require('node:util');
const { Client, ConfigError, OutboxError, OutboxFullError, ValidationError } = require('katalys');
const { runChild } = require('./support/child.js');
const { startReceiver } = require('./support/receiver.js');

/** Seconds; longer than the lease of a killed process, on a busy machine. */
const LONG = 60;

let receiver;
let folder;
let files = 0;
before(async () => {
  receiver = await startReceiver();
  folder = await mkdtemp(path.join(tmpdir(), 'katalys-outbox-'));
});
after(async () => {
  await receiver.stop();
  await rm(folder, { recursive: true });
});

/** Options with a new file and a new run of the receiver. */
function place(...steps) {
  files += 1;
  const { id, endpoint } = receiver.run(...steps);
  const options = { siteId: 'abcd.com', endpoint, outbox: path.join(folder, `${files}.db`) };
  return { id, options };
}

/** The bodies that arrived. */
async function received(id, wait) {
  const records = await receiver.recorded(id, { wait, timeout: LONG });
  return records.filter(({ body }) => body !== null).map(({ body }) => JSON.parse(body));
}

/** The counts of each order in the order of arrival; repetitions, from retries, are left out. */
function byOrder(bodies) {
  const orders = new Map();
  for (const { order_id, order_count } of bodies) {
    if (!orders.has(order_id)) orders.set(order_id, []);
    const counts = orders.get(order_id);
    if (counts.at(-1) !== order_count) counts.push(order_count);
  }
  return orders;
}

function assertBalanced(stats) {
  const { accepted, delivered, pending, dead, discarded } = stats;
  assert.equal(accepted, delivered + pending + dead + discarded, JSON.stringify(stats));
}

describe('an outbox', () => {
  it('delivers what it accepted, in order, and waiting calls after it', async () => {
    const { id, options } = place('slow=100', '204');
    const client = new Client(options);
    const tickets = await Promise.all([
      client.enqueueUpdate('1', { order_count: 1 }),
      client.enqueueReport('1', {
        order_status: 'paid',
        sale_amount: 3,
        shipping_amount: 0,
        tax_amount: 0,
        order_count: 2,
        email_address: 'a@b.cd',
        order_time: new Date(),
      }),
    ]);
    assert.deepEqual(tickets, [
      { id: 1, warnings: [] },
      { id: 2, warnings: [] },
    ]);
    const receipt = await client.updateOrder('1', { order_count: 3 });
    assert.equal(receipt.attempts, 1);
    assert.deepEqual(byOrder(await received(id, 3)), new Map([['1', [1, 2, 3]]]));
    assert.deepEqual(await client.stats(), {
      accepted: 3,
      delivered: 3,
      pending: 0,
      inFlight: 0,
      dead: 0,
      discarded: 0,
      oldestPendingSeconds: 0,
    });
    assert.equal(await client.close(), 0);
  });

  it('keeps the order of each order through faults', async () => {
    const faults = ['503', 'reset-before', 'reset-after', '204', 'close', '200', '204'];
    const { id, options } = place(...faults);
    const client = new Client({ ...options, durability: 'normal' });
    const calls = [];
    for (let count = 1; count <= 20; count += 1) {
      for (const order of ['a', 'b', 'c']) {
        calls.push(client.enqueueUpdate(order, { order_count: count }));
      }
    }
    await Promise.all(calls);
    assert.equal(await client.flush(LONG), 0);
    const all = Array.from({ length: 20 }, (_, at) => at + 1);
    const orders = byOrder(await received(id, 60));
    for (const order of ['a', 'b', 'c']) assert.deepEqual(orders.get(order), all);
    const stats = await client.stats();
    assert.equal(stats.delivered, 60);
    assertBalanced(stats);
    await client.close();
  });

  it('refuses updates beyond its capacity, and keeps the rest', async () => {
    const { options } = place();
    const client = new Client({ ...options, capacityRows: 2, deliver: false });
    const calls = ['1', '2', '3'].map((order) => client.enqueueUpdate(order));
    const [, , third] = await Promise.allSettled(calls);
    assert.ok(third.reason instanceof OutboxFullError);
    assert.deepEqual([third.reason.code, third.reason.retryable], ['outbox_full', true]);
    const { accepted, pending, oldestPendingSeconds } = await client.stats();
    assert.deepEqual([accepted, pending], [2, 2]);
    assert.ok(oldestPendingSeconds >= 0 && oldestPendingSeconds < LONG);
    assert.equal(await client.close(), 2);
  });

  it('refuses invalid updates with the same error as a client without an outbox', async () => {
    const client = new Client(place().options);
    await assert.rejects(client.enqueueUpdate('1', { currency: 'x' }), ValidationError);
    const forgotten = client.enqueueUpdate('1', Promise.resolve({ order_status: 'paid' }));
    await assert.rejects(
      forgotten,
      /ValidationError: .*fields is a Promise; did you forget await/s,
    );
    assert.equal((await client.stats()).accepted, 0);
    await client.close();
  });

  it('is named by the error of a call that needs one', async () => {
    const client = new Client('abcd.com');
    const calls = ['enqueueUpdate', 'enqueueReport', 'stats', 'flush', 'deadLetters'];
    for (const name of calls) {
      const refused = (error) => error instanceof ConfigError && /^outbox /.test(error.message);
      await assert.rejects(async () => await client[name](), refused, name);
    }
    assert.throws(() => new Client('abcd.com', { capacityRows: 5 }), ConfigError);
    assert.equal(await client.close(), 0, 'close() never fails');
  });

  it('warns once of a stale status, and leaves out a repetition with collapse', async () => {
    const { options } = place();
    const script = `
      (async () => {
        const client = new Client({ ...options, deliver: false, collapse: true });
        await client.enqueueUpdate('1', { order_status: 'refunded' });
        for (const order_status of ['paid', 'paid', 'pending']) {
          const { id, warnings } = await client.enqueueUpdate('1', { order_status });
          console.log(id, warnings.map(({ code }) => code).join());
        }
      })();
    `;
    const { code, stdout, stderr } = await child(script, options);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '2 status_stale\n2 \n3 status_stale\n');
    assert.equal(stderr.match(/\[status_stale\] KatalysWarning: /g)?.length, 1, stderr);
  });

  it('may be given as a file: URL', async () => {
    const { options } = place('204');
    const { outbox } = options;
    const client = new Client({ ...options, outbox: pathToFileURL(outbox) });
    await client.enqueueUpdate('1');
    await client.close();
    const same = new Client({ ...options, deliver: false });
    assert.equal((await same.stats()).accepted, 1);
    await same.close();
  });

  it('reports what is wrong with its file', async () => {
    const { options } = place();
    assert.throws(() => new Client({ ...options, outbox: '/proc/no/such.db' }), OutboxError);
  });
});

describe('a call that waits, on a client with an outbox', () => {
  /** Retries as a library or a job queue does. */
  async function retrying(call) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (!error.retryable || attempt === 5) throw Object.assign(error, { attempt });
      }
    }
  }

  it('is not retryable after a timeout: the update is pending', async () => {
    const { id, options } = place('slow=1500', '204');
    const client = new Client({ ...options, timeout: 1 });
    const error = await retrying(() => client.updateOrder('1')).catch((error) => error);
    assert.deepEqual(
      [error.name, error.code, error.retryable, error.ticket, error.attempt],
      ['TimeoutError', 'timeout_pending', false, 1, 1],
    );
    assert.equal(await client.flush(LONG), 0);
    const { accepted, delivered } = await client.stats();
    assert.deepEqual([accepted, delivered], [1, 1]);
    assert.ok((await received(id, 1)).every(({ order_id }) => order_id === '1'));
    await client.close();
  });

  it('after close() reports without delay that the next process delivers the update', async () => {
    const { options } = place('204');
    const client = new Client({ ...options, timeout: 20 });
    assert.equal(await client.close(), 0);
    const started = performance.now();
    const error = await client.updateOrder('1').catch((error) => error);
    assert.deepEqual([error.code, error.retryable, error.ticket], ['timeout_pending', false, 1]);
    const took = performance.now() - started;
    assert.ok(took < 10_000, `it took ${took} ms`);
    const next = new Client(options);
    assert.equal(await next.flush(LONG), 0);
    assert.equal((await next.stats()).delivered, 1);
    await next.close();
  });

  it('has the ticket of the dead letter if it is refused, and no ticket without an outbox', async () => {
    const { options } = place('404');
    const client = new Client(options);
    const refused = await retrying(() => client.updateOrder('1')).catch((error) => error);
    const [letter] = await client.deadLetters();
    assert.deepEqual([refused.code, refused.ticket], ['rejected', letter.id]);
    const invalid = await client.updateOrder('1', { currency: 'x' }).catch((error) => error);
    assert.equal(invalid.ticket, null);
    await client.close();
    const { outbox: _, ...without } = options;
    const plain = await new Client(without).updateOrder('1').catch((error) => error);
    assert.deepEqual([plain.code, plain.ticket], ['rejected', null]);
  });
});

describe('dead letters', () => {
  it('are listed, edited, replayed in place and discarded', async () => {
    const { id, options } = place('404', '404', '404', '204');
    const client = new Client(options);
    const orders = ['1', '2', '3'];
    for (const order of orders) await client.enqueueUpdate(order, { order_status: 'paid' });
    assert.equal(await client.flush(LONG), 0);
    const letters = await client.deadLetters();
    const [first, second, third] = letters;
    assert.deepEqual(
      letters.map(({ orderId, siteId, status, code }) => [orderId, siteId, status, code]),
      orders.map((order) => [order, 'abcd.com', 404, 'rejected']),
    );
    assert.ok(first.diedAt instanceof Date && Math.abs(Date.now() - first.diedAt) < LONG * 1000);
    assert.equal(JSON.parse(first.payload).order_status, 'paid');
    assert.equal(JSON.parse(JSON.stringify(first)).payload, first.payload);
    const size = Buffer.byteLength(first.payload);
    assert.deepEqual(
      inspect(first, { breakLength: Infinity }).replace(/\d{4}-.*Z/, 'then'),
      [
        `DeadLetter { id: ${first.id}, orderId: (1 bytes), siteId: 'abcd.com', payload: (${size} bytes),`,
        `status: 404, code: 'rejected', reason: ${inspect(first.reason)}, diedAt: then }`,
      ].join(' '),
    );
    assert.doesNotMatch(inspect({ letters }, { depth: 9 }), /paid|order_status/);
    const { payload } = await client.validateUpdate('secret-1');
    assert.doesNotMatch(inspect(client.validateUpdate('secret-1')), /secret/);
    assert.deepEqual(client.validateUpdate('secret-1'), { ok: true, payload, problems: [] });

    const page = await client.deadLetters({ after: first.id, limit: 1 });
    assert.deepEqual(page, [second]);
    await assert.rejects(client.edit(first.id, { sale_amount: '$5' }), ValidationError);
    for (const missing of [undefined, null, Promise.resolve({ currency: 'EUR' })]) {
      await assert.rejects(client.edit(first.id, missing), /ValidationError: .*fields is /s);
    }
    const changes = { order_status: null, sale_amount: '5', order_id: undefined };
    assert.equal(await client.edit(first.id, changes), true);
    assert.equal(await client.edit(second.id, { order_status: undefined }), true);
    assert.equal(await client.replay(first.id), true);
    assert.equal(await client.replay(second.id), true);
    assert.equal(await client.discard(third.id), true);
    for (const gone of [third.id, 77]) {
      const answers = [client.replay(gone), client.discard(gone), client.edit(gone, {})];
      assert.deepEqual(await Promise.all(answers), [false, false, false]);
    }
    await assert.rejects(client.replay('1'), TypeError);
    assert.equal(await client.flush(LONG), 0);
    const last = (await received(id, 5)).slice(3).sort((a, b) => a.order_id - b.order_id);
    assert.deepEqual(last, [
      { site_id: 'abcd.com', order_id: '1', sale_amount: '5' },
      { site_id: 'abcd.com', order_id: '2', order_status: 'paid' },
    ]);
    const stats = await client.stats();
    assert.deepEqual([stats.delivered, stats.dead, stats.discarded], [2, 0, 1]);
    assertBalanced(stats);
    await client.close();
  });
});

describe('events', () => {
  it('report what happens to each update, before the call that waited for it settles', async () => {
    const { options } = place('503', '404', '204');
    const client = new Client({ ...options, eventOrderIds: 'plain' });
    const events = [];
    for (const kind of ['accepted', 'delivered', 'retried', 'dead_lettered', 'discarded']) {
      client.on(kind, (event) => {
        assert.equal(event.kind, kind);
        events.push(event);
      });
    }
    await client.enqueueUpdate('1');
    assert.equal(await client.flush(LONG), 0);
    await client.discard(1);
    await client.enqueueUpdate('2');
    assert.equal(await client.flush(LONG), 0);
    await client.close();
    const told = events.map((event) => Object.values(event).join(' '));
    assert.deepEqual(told, [
      'accepted 1 1 0  ',
      'retried 1 1 1 503 unavailable',
      'dead_lettered 1 1 2 404 rejected',
      'discarded 1 1 0  ',
      'accepted 2 2 0  ',
      'delivered 2 2 1  ',
    ]);
  });

  it('hide the order by default, and do not keep the process alive', async () => {
    const script = `
      const client = new Client(options);
      client.once('delivered', (event) => console.log(event.order, client.listenerCount('delivered')));
      client.enqueueUpdate('secret-1').then(() => client.flush(30));
    `;
    const { code, stdout, stderr } = await child(script, place('204').options);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^[0-9a-f]{16} 0\n$/);
  });

  it('reach all listeners although some fail; calls and the process do not fail', async () => {
    const script = `
      process.on('uncaughtException', () => console.log('uncaught'));
      process.on('unhandledRejection', () => console.log('unhandled'));
      const warnings = [];
      process.on('warning', ({ name, code, message, detail }) => {
        warnings.push([name, code, message, /Error: (mine|async)/.test(detail)].join('|'));
      });
      (async () => {
        const client = new Client(options);
        let heard = 0;
        client.on('accepted', () => { heard += 1; throw new Error('mine'); });
        client.on('delivered', async () => { heard += 1; throw new Error('async'); });
        const tickets = [];
        for (let at = 0; at < 20; at += 1) tickets.push(await client.enqueueUpdate('x' + at));
        const left = await client.flush(30);
        await client.close();
        setTimeout(() => console.log([tickets.length, left, heard, warnings.length, ...new Set(warnings)].join('\\n')), 50);
      })();
    `;
    const { code, stdout } = await child(script, place('204').options);
    const warning = (kind) =>
      `KatalysWarning|listener_failed|a listener for "${kind}" failed; the update itself is not affected|true`;
    const expected = [20, 0, 40, 2, warning('accepted'), warning('delivered'), ''];
    assert.deepEqual([code, stdout.split('\n').sort()], [0, expected.map(String).sort()]);
  });

  it('do not end the process if a listener throws', async () => {
    const script = `
      const client = new Client(options);
      client.on('accepted', () => { throw new Error('mine'); });
      client.enqueueUpdate('1').then(({ id }) => console.log(id));
    `;
    const { code, stdout, stderr } = await child(script, place('204').options);
    assert.deepEqual([code, stdout], [0, '1\n']);
    assert.match(stderr, /KatalysWarning: a listener for "accepted" failed.*Error: mine\n +at /s);
  });

  it('and warnings that cannot be shown do not prevent calls from succeeding', async () => {
    const script = `
      process.emitWarning = () => { throw new Error('the logger is down'); };
      (async () => {
        const client = new Client(options);
        client.on('accepted', () => { throw new Error('mine'); });
        const fields = { order_status: 'canceled' };
        const [{ id }, { attempts }] = [await client.enqueueUpdate('1', fields), await client.updateOrder('2', fields)];
        console.log(id, attempts, (await client.stats()).accepted);
      })();
    `;
    const { code, stdout, stderr } = await child(script, place('204').options);
    assert.deepEqual([code, stdout, stderr], [0, '1 1 2\n', '']);
  });
});

describe('flush and close', () => {
  it('wait for up to the timeout, and return the number of pending updates', async () => {
    const { options } = place('hang');
    const client = new Client(options);
    await Promise.all([client.enqueueUpdate('1'), client.enqueueUpdate('2')]);
    const started = performance.now();
    assert.equal(await client.flush(0.3), 2);
    const took = performance.now() - started;
    assert.ok(took >= 290, `flush took ${took} ms`);
    const misuse = {
      name: 'KatalysError',
      code: 'misuse',
      message: /^timeout must be a number of /,
    };
    for (const wrong of [-1, Number.NaN, '5', null, Number.POSITIVE_INFINITY, Number.MAX_VALUE]) {
      await assert.rejects(client.flush(wrong), misuse);
      await assert.rejects(client.close(wrong), misuse);
    }
    assert.equal((await client.enqueueUpdate('3')).id, 3, 'a refused close() closes nothing');
    assert.equal(await client.close(0), 3);
    const next = new Client({ ...options, deliver: false });
    assert.equal((await next.stats()).pending, 3);
    assert.equal(await next.flush(0), 3);
    await next.close();
  });

  it('count earlier calls that were not awaited', async () => {
    const { options } = place('204');
    const client = new Client({ ...options, deliver: false });
    for (let at = 0; at < 300; at += 1) client.enqueueUpdate(`x${at}`);
    assert.equal(await client.flush(1), 300);
    for (let at = 0; at < 300; at += 1) client.enqueueUpdate(`y${at}`);
    assert.equal(await client.close(LONG), 600);
  });

  it('return before the longest timeout if nothing is pending', async () => {
    const client = new Client(place('slow=300').options);
    await client.enqueueUpdate('1');
    assert.equal(await client.flush(31_622_400), 0);
    await client.close(31_622_400);
  });
});

describe('the end of a process', () => {
  it('comes by itself after all accepted updates are on disk; pending updates stay there', async () => {
    const { id, options } = place('slow=300');
    const script = `
      const client = new Client({ ...options, workers: 2 });
      for (let at = 0; at < 200; at += 1) client.enqueueUpdate('x' + at, { order_count: 1 });
    `;
    const { code, seconds, stderr } = await child(script, options);
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(seconds < 15, `it took ${seconds} s`);
    const idle = new Client({ ...options, deliver: false });
    const stats = await idle.stats();
    await idle.close();
    assert.equal(stats.accepted, 200);
    assert.ok(
      stats.pending > 0 && stats.delivered > 0,
      'updates in flight finished, the others stayed',
    );
    assert.equal(stats.inFlight, 0, 'nothing is left leased');
    assertBalanced(stats);
    const next = new Client(options);
    assert.equal(await next.flush(LONG), 0);
    assert.equal((await received(id, 200)).length, 200, 'nothing was sent twice');
    await next.close();
  });

  it('that does not come, as in a serverless runtime, does not end delivery', async () => {
    const { id, options } = place('204');
    // The runtime starts the next invocation when the event loop is empty.
    const script = `
      const client = new Client(options);
      client.on('delivered', ({ id }) => console.log('delivered', id));
      const invocations = [
        () => client.updateOrder('1'),
        () => client.updateOrder('2'),
        () => client.enqueueUpdate('3').then(() => client.flush(20)),
        () => client.enqueueUpdate('4'),
        () => client.updateOrder('5'),
      ];
      process.on('beforeExit', () => {
        const invocation = invocations.shift();
        if (invocation) setTimeout(() => invocation().then((result) => console.log(result.attempts ?? result.id ?? result)), 10);
      });
    `;
    const { code, stdout, stderr, seconds } = await child(script, options);
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.split('\n');
    assert.deepEqual(
      lines.filter((line) => !line.startsWith('delivered')),
      ['1', '1', '0', '4', '1', ''],
    );
    for (const ticket of [1, 2, 3, 5]) assert.ok(lines.includes(`delivered ${ticket}`), stdout);
    assert.ok(seconds < 15, `it took ${seconds} s`);
    assert.ok((await received(id, 4)).length >= 4);
  });

  it('that does not come after close() does not resume delivery', async () => {
    const script = `
      const client = new Client(options);
      let round = 0;
      process.on('beforeExit', async () => {
        round += 1;
        if (round === 1) await client.enqueueUpdate('1').then(() => client.close());
        if (round < 4) setTimeout(() => client.enqueueUpdate('late').then(() => client.stats()).then(({ pending }) => console.log(pending > 0)), 1);
      });
    `;
    const { code, stdout, stderr } = await child(script, place('204').options);
    assert.deepEqual([code, stdout, stderr], [0, 'true\ntrue\ntrue\n', '']);
  });

  it('comes while the endpoint hangs', async () => {
    const script = 'new Client(options).enqueueUpdate("1").then(() => console.log("safe"));';
    const { code, stdout, seconds } = await child(script, place('hang').options);
    assert.deepEqual([code, stdout], [0, 'safe\n']);
    assert.ok(seconds < 15, `it took ${seconds} s`);
  });

  it('comes without delay after process.exit(), and leaves everything on disk', async () => {
    const { options } = place('hang');
    const script = `
      const client = new Client(options);
      const calls = Array.from({ length: 40 }, (_, at) => client.enqueueUpdate('x' + at));
      Promise.all(calls).then(() => process.exit(7));
    `;
    const { code, seconds, stderr } = await child(script, options);
    assert.deepEqual([code, stderr], [7, '']);
    assert.ok(seconds < 10, `it took ${seconds} s`);
    const next = new Client({ ...options, deliver: false });
    assert.deepEqual(
      (({ accepted, pending }) => [accepted, pending])(await next.stats()),
      [40, 40],
    );
    await next.close();
  });

  it('comes after SIGTERM if the program closes its client', async () => {
    const { options } = place('slow=200');
    const script = `
      const client = new Client({ ...options, workers: 2 });
      const timer = setInterval(() => {}, 1000);
      process.once('SIGTERM', async () => {
        console.log(await client.close(30));
        clearInterval(timer);
      });
      const calls = Array.from({ length: 40 }, (_, at) => client.enqueueUpdate('x' + at));
      Promise.all(calls).then(() => process.kill(process.pid, 'SIGTERM'));
    `;
    const { code, stdout, stderr } = await child(script, options);
    assert.deepEqual([code, stderr], [0, '']);
    const next = new Client({ ...options, deliver: false });
    const { pending, inFlight } = await next.stats();
    assert.deepEqual([`${pending}\n`, inFlight], [stdout, 0]);
    await next.close();
  });

  it('by kill -9 at any moment loses no accepted update', async () => {
    const { id, options } = place('204', 'slow=20', '503', 'slow=50');
    options.timeout = 2;
    const script = `
      const client = new Client(options);
      const [order] = process.argv.slice(2);
      (async () => {
        for (let count = 1; ; count += 1) {
          await Promise.all([0, 1, 2].map(async (lane) => {
            await client.enqueueUpdate(order + '-' + lane, { order_count: count });
            process.stdout.write(order + '-' + lane + ' ' + count + '\\n');
          }));
        }
      })();
    `;
    const accepted = new Map();
    for (let round = 0; round < 6; round += 1) {
      const writers = ['a', 'b'].map(async (name) => {
        const process = start(script, options, [`${name}${round}`]);
        await once(process.stdout, 'data');
        setTimeout(() => process.kill('SIGKILL'), Math.random() * 150);
        await once(process, 'close');
        for (const line of process.lines()) {
          const [order, count] = line.split(' ');
          accepted.set(order, Math.max(accepted.get(order) ?? 0, Number(count)));
        }
      });
      await Promise.all(writers);
    }
    const last = new Client(options);
    assert.equal(await last.flush(LONG), 0);
    const stats = await last.stats();
    assertBalanced(stats);
    const orders = byOrder(await received(id, 0));
    assert.ok(accepted.size >= 12, `${accepted.size} orders`);
    for (const [order, most] of accepted) {
      const counts = orders.get(order);
      const all = counts.map((_, at) => at + 1);
      assert.deepEqual(counts, all, `${order} arrived in order and without gaps`);
      assert.ok(counts.length >= most, `${order}: ${most} accepted, ${counts.length} arrived`);
    }
    await last.close();
  });
});

describe('the event loop', () => {
  it('continues while another process locks the file, from the first call on', async () => {
    const { options } = place('204');
    const client = new Client(options);
    const opened = new Client(options);
    await opened.enqueueUpdate('1');
    assert.equal(await opened.flush(LONG), 0);
    const lock = `
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(2)
connection.execute("COMMIT")
`;
    const locker = spawn('python3', ['-c', lock, options.outbox], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const unlocked = once(locker, 'close');
    await once(locker.stdout, 'data');
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const started = performance.now();
    const calls = [opened, client].flatMap((one) => [
      one.enqueueUpdate('2'),
      one.enqueueUpdate('3'),
      one.stats(),
      one.deadLetters(),
    ]);
    await Promise.all(calls);
    const took = performance.now() - started;
    delay.disable();
    assert.ok(took > 1000, `the calls waited for the lock, for ${took} ms`);
    const longest = delay.max / 1e6;
    assert.ok(longest < 500, `the loop was blocked for ${longest} ms`);
    assert.equal(await opened.flush(LONG), 0);
    await Promise.all([client.close(), opened.close(), unlocked]);
  });

  it('does not depend on the thread pool', async () => {
    const script = `
      const { pbkdf2 } = require('node:crypto');
      let hashed = false;
      pbkdf2('x', 'y', 3_000_000, 64, 'sha512', () => { hashed = true; });
      (async () => {
        const client = new Client(options);
        for (let id = 0; id < 20; id += 1) await client.enqueueUpdate(String(id));
        console.log(await client.flush(10), hashed ? 'after' : 'before');
        process.exit();
      })();
    `;
    const result = await child(script, place('204').options, { UV_THREADPOOL_SIZE: '1' });
    assert.deepEqual([result.code, result.stdout], [0, '0 before\n'], result.stderr);
  });
});

describe('worker threads', () => {
  const script = path.join(__dirname, 'support/outbox-worker.js');

  it('share a file with each other, and end by themselves', async () => {
    const { id, options } = place('204');
    const ends = [1, 2, 3].map(async (name) => {
      const worker = new Worker(script, { workerData: { options, name, calls: 50 } });
      assert.deepEqual(await once(worker, 'exit'), [0]);
    });
    await Promise.all(ends);
    const client = new Client(options);
    assert.equal(await client.flush(LONG), 0);
    assert.equal((await client.stats()).accepted, 150);
    assert.equal(new Set((await received(id, 150)).map(({ order_id }) => order_id)).size, 150);
    await client.close();
  });

  it('may be terminated at any moment without the loss of an accepted update', async () => {
    const { id, options } = place('slow=5');
    // Only workers load the package here, so the end of one could unload it.
    const terminateMany = `
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const [options, script] = [JSON.parse(process.argv[1]), process.argv[2]];
      (async () => {
        let accepted = 0;
        for (let name = 0; name < 20; name += 1) {
          const workerData = { options, name, calls: 40, reports: true };
          const worker = new Worker(script, { workerData });
          worker.on('message', (message) => { if (message === 'accepted') accepted += 1; });
          await once(worker, 'message');
          if (name % 2) await new Promise((resolve) => setTimeout(resolve, name));
          await worker.terminate();
        }
        console.log(accepted);
      })();
    `;
    const { code, stdout, stderr } = await runChild(terminateMany, {
      endpoint: JSON.stringify({ ...options, timeout: 2 }),
      prelude: '',
      more: [script],
    });
    assert.deepEqual([code, stderr], [0, '']);
    const client = new Client(options);
    assert.equal(await client.flush(LONG), 0);
    const stats = await client.stats();
    assertBalanced(stats);
    assert.ok(stats.accepted >= Number(stdout) && stats.delivered === stats.accepted);
    const orders = new Set((await received(id, 0)).map(({ order_id }) => order_id));
    assert.equal(orders.size, stats.accepted);
    await client.close();
  });
});

/** A script that starts with `Client` and `options` defined. */
function withOptions(script) {
  return `
    const { Client } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const options = JSON.parse(process.argv[1]);
    ${script}`;
}

function child(script, options, env = {}) {
  return runChild(withOptions(script), { endpoint: JSON.stringify(options), prelude: '', env });
}

/** Starts the same; `lines` returns the complete lines that it has printed. */
function start(script, options, more) {
  const process_ = spawn(
    process.execPath,
    ['-e', withOptions(script), JSON.stringify(options), ...more],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let printed = '';
  process_.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  process_.lines = () => printed.split('\n').slice(0, -1);
  return process_;
}
