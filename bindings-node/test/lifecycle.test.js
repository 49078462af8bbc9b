'use strict';
// The package and its process: when the process ends, worker threads, and the order of calls.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { Worker } = require('node:worker_threads');
const { once } = require('node:events');
const { Client } = require('katalys');
const { runChild } = require('./support/child.js');
const { startReceiver } = require('./support/receiver.js');

let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());

const ends = (result, expected) => {
  const { code, signal, stdout, stderr } = result;
  assert.deepEqual(
    { code, signal, stdout, stderr },
    { signal: null, stdout: '', stderr: '', ...expected },
  );
};

describe('the process', () => {
  it('ends by itself when nothing is pending', async () => {
    const run = receiver.run('204');
    ends(await runChild('', run), { code: 0 });
    const idle = await runChild('client.updateOrder("1").then(() => console.log("done"));', run);
    ends(idle, { code: 0, stdout: 'done\n' });
    assert.ok(idle.seconds < 5, 'it does not wait for idle threads or connections');
  });

  it('lives until all pending calls have settled, and no longer', async () => {
    const script = `
      for (const id of ['1', '2', '3']) client.updateOrder(id).then(() => console.log(id));
    `;
    const { stdout, code } = await runChild(script, receiver.run('slow=300'));
    assert.deepEqual([code, stdout.trim().split('\n').sort()], [0, ['1', '2', '3']]);
  });

  it('stays alive for a call that is made after all others settled', async () => {
    const script = `
      client.updateOrder('1').then(() => {
        setTimeout(() => client.updateOrder('2').then(() => console.log('both')), 50);
      });
    `;
    ends(await runChild(script, receiver.run('slow=50')), { code: 0, stdout: 'both\n' });
  });

  it('may exit with calls in flight', async () => {
    const run = receiver.run('hang');
    const script = `
      for (let id = 0; id < 40; id += 1) client.updateOrder(String(id));
      setTimeout(() => process.exit(7), 200);
    `;
    const result = await runChild(script, run);
    ends(result, { code: 7 });
    assert.ok(result.seconds < 5);
    assert.ok((await receiver.recorded(run.id)).length > 0, 'calls were in flight');
  });

  it('may exit while many results arrive', async () => {
    const script = `
      let settled = 0;
      const again = () => {
        if (++settled === 500) process.exit(7);
        client.updateOrder(String(settled)).then(again);
      };
      for (let id = 0; id < 64; id += 1) client.updateOrder('x' + id).then(again);
    `;
    for (let round = 0; round < 5; round += 1) {
      ends(await runChild(script, receiver.run('204')), { code: 7 });
    }
  });

  it('may end with an uncaught error and calls in flight', async () => {
    const script = `
      client.updateOrder('1');
      setTimeout(() => { throw new Error('mine'); }, 100);
    `;
    const { code, signal, stderr } = await runChild(script, receiver.run('hang'));
    assert.deepEqual([code, signal], [1, null]);
    assert.match(stderr, /Error: mine/);
  });

  it('reports an unhandled rejection like any other', async () => {
    const script = 'client.updateOrder("1", { sale_amount: "$1" });';
    const { code, stderr } = await runChild(script, receiver.run('204'));
    assert.equal(code, 1);
    assert.match(stderr, /ValidationError: .*sale_amount/s);
    const handled = `${script.slice(0, -1)}.catch((error) => console.log(error.name));`;
    ends(await runChild(handled, receiver.run('204')), { code: 0, stdout: 'ValidationError\n' });
  });

  it('shows the warning of each code once', async () => {
    const script = `
      (async () => {
        for (const id of ['1', '2']) {
          const { warnings } = await client.updateOrder(id, { order_status: 'canceled' });
          console.log(warnings.map(({ code }) => code).join());
        }
      })();
    `;
    const { stdout, stderr } = await runChild(script, receiver.run('204'));
    assert.equal(stdout, 'status_misspelled\nstatus_misspelled\n');
    assert.equal(
      stderr.match(/\[status_misspelled\] KatalysWarning: order_status looks/g)?.length,
      1,
    );
  });
});

describe("libuv's thread pool", () => {
  it('is not used: updates flow while its only thread is blocked', async () => {
    const script = `
      const { pbkdf2 } = require('node:crypto');
      let hashed = false;
      pbkdf2('x', 'y', 3_000_000, 64, 'sha512', () => { hashed = true; });
      (async () => {
        for (let id = 0; id < 20; id += 1) await client.updateOrder(String(id));
        console.log('sent', hashed ? 'after' : 'before');
        process.exit();
      })();
    `;
    const env = { UV_THREADPOOL_SIZE: '1' };
    const result = await runChild(script, { ...receiver.run('204'), env });
    ends(result, { code: 0, stdout: 'sent before\n' });
  });
});

describe('many calls at once', () => {
  it('are sent and settle in the order of the calls for each order', async () => {
    const run = receiver.run('204');
    const client = new Client({ siteId: 'abcd.com', endpoint: run.endpoint });
    const settled = [];
    const calls = [];
    for (let number = 0; number < 300; number += 1) {
      const orderId = `order-${number % 7}`;
      const call = client.updateOrder(orderId, { order_count: number + 1 });
      calls.push(call.then(() => settled.push([orderId, number + 1])));
    }
    await Promise.all(calls);
    const received = (await receiver.recorded(run.id, { wait: 300 })).map(({ body }) => {
      const { order_id, order_count } = JSON.parse(body);
      return [order_id, order_count];
    });
    assert.equal(received.length, 300);
    for (const list of [received, settled]) assertOrdered(list);
  });

  it('of a slow order do not delay other orders', async () => {
    const slow = new Client({ siteId: 'abcd.com', endpoint: receiver.run('slow=1000').endpoint });
    const behind = ['a', 'a', 'b'].map((id) => slow.updateOrder(id));
    const [first, second, other] = await Promise.all(behind);
    assert.ok(second.elapsed >= 2 && first.elapsed < 2 && other.elapsed < 2);
  });

  it('settle although one of them fails', async () => {
    const run = receiver.run('404', '204');
    const client = new Client({ siteId: 'abcd.com', endpoint: run.endpoint });
    const calls = Array.from({ length: 50 }, (_, id) => client.updateOrder(String(id)));
    const outcomes = await Promise.allSettled(calls);
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1);
  });

  it('settle although the program has dropped the client', async () => {
    const script = `
      const settle = (id) => new Client({ siteId: 'abcd.com', endpoint: process.argv[1] }).updateOrder(id);
      const calls = ['1', '2', '3'].map(settle);
      setTimeout(gc, 50);
      Promise.all(calls).then((receipts) => console.log(receipts.length));
    `;
    const run = { ...receiver.run('slow=300'), nodeOptions: ['--expose-gc'] };
    ends(await runChild(script, run), { code: 0, stdout: '3\n' });
  });
});

describe('worker threads', () => {
  const script = path.join(__dirname, 'support/worker.js');
  const start = (workerData) => new Worker(script, { workerData });

  it('send independently, and end by themselves', async () => {
    const run = receiver.run('204');
    const workers = [1, 2, 3].map((number) => start({ ...run, number, calls: 20 }));
    const codes = await Promise.all(workers.map(async (worker) => (await once(worker, 'exit'))[0]));
    assert.deepEqual(codes, [0, 0, 0]);
    assert.equal((await receiver.recorded(run.id, { wait: 60 })).length, 60);
  });

  it('may be terminated with calls in flight, again and again', async () => {
    // Only workers load the package here, so the end of one could unload it.
    const terminateMany = `
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const [endpoint, script] = process.argv.slice(1);
      (async () => {
        for (let number = 0; number < 30; number += 1) {
          const worker = new Worker(script, { workerData: { endpoint, number, calls: 40 } });
          await once(worker, 'message');
          if (number % 2) await new Promise((resolve) => setTimeout(resolve, number));
          await worker.terminate();
        }
        console.log('alive');
      })();
    `;
    for (const step of ['204', 'slow=20', 'slow=200']) {
      const options = { ...receiver.run(step), prelude: '', more: [script] };
      ends(await runChild(terminateMany, options), { code: 0, stdout: 'alive\n' });
    }
  });
});

function assertOrdered(list) {
  const last = new Map();
  for (const [id, number] of list) {
    assert.ok((last.get(id) ?? 0) < number, `${id}: ${number} after ${last.get(id)}`);
    last.set(id, number);
  }
}
