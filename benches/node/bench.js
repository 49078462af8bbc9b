'use strict';
// Compares the package with the HTTP clients that a Node shop would otherwise use. Prints one JSON
// object per line.
//
// Usage: node bench.js PLAIN_URL TLS_URL CA_FILE [seconds-per-measurement]
//
// The URLs are those of a server that answers every POST with 204. The candidates take turns within
// one run, and their medians are compared: rates on a shared machine vary. KATALYS_NODE is the
// package's folder (by default bindings-node, after `make -C bindings-node build`).

const { execFileSync } = require('node:child_process');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const undici = require('undici');
const { ORDER, Order } = require('./order.js');
const { ROUNDS, inTurns, report, sendFor } = require('./turns.js');

const PACKAGE = process.env.KATALYS_NODE ?? path.join(__dirname, '../../bindings-node');
const { Client } = require(PACKAGE);

const IN_FLIGHT = 32;
const BATCH = 20_000;

async function main([plain, tls, caFile, seconds = '1']) {
  const duration = Number(seconds) * 1000;
  const ours = { plain: byUs(plain), tls: byUs(tls, caFile) };
  const undicis = { plain: byUndici(plain), tls: byUndici(tls, caFile) };
  await rates('', ours.plain, undicis.plain, 'undici.request 32', '>= 1.5', duration);
  await rates(', TLS', ours.tls, undicis.tls, 'undici.request 32', '', duration);
  await rates('', ours.plain, byFetch(plain), 'fetch 32', '>= 10', duration);
  await cpu(ours.plain, byFetch(plain), 'fetch', '>= 10', duration);
  await cpu(ours.plain, undicis.plain, 'undici.request', '', duration);
  await one(ours.plain, undicis.plain, duration);
  await validation();
  await startup('require', 'katalys', '@segment/analytics-node', '>= 8');
  await Promise.all([undicis.plain.close(), undicis.tls.close()]);
}

function byUs(endpoint, caFile = null) {
  const client = new Client({ siteId: 'abcd.com', endpoint, caFile });
  return { send: (orderId) => client.updateOrder(orderId, ORDER) };
}

function byUndici(endpoint, caFile) {
  const connect = caFile ? { ca: readFileSync(caFile) } : {};
  const dispatcher = new undici.Agent({ connections: IN_FLIGHT, connect });
  const headers = { 'content-type': 'application/json' };
  async function send(orderId) {
    const body = JSON.stringify({ site_id: 'abcd.com', order_id: orderId, ...ORDER });
    const options = { method: 'POST', headers, body, dispatcher };
    const answer = await undici.request(endpoint, options);
    await answer.body.dump();
    if (answer.statusCode !== 204) throw new Error(`answered ${answer.statusCode}`);
  }
  return { send, close: () => dispatcher.close() };
}

function byFetch(endpoint) {
  const headers = { 'content-type': 'application/json' };
  async function send(orderId) {
    const body = JSON.stringify({ site_id: 'abcd.com', order_id: orderId, ...ORDER });
    const answer = await fetch(endpoint, { method: 'POST', headers, body });
    if (answer.status !== 204) throw new Error(`answered ${answer.status}`);
  }
  return { send };
}

async function rates(suffix, ours, theirs, other, goal, duration) {
  const rate = (sender) => async () => (await sendFor(sender, IN_FLIGHT, duration)).rate;
  const what = `updateOrder, ${IN_FLIGHT} in flight${suffix}`;
  report({ what, other, unit: 'updates/s', goal }, await inTurns(rate(ours), rate(theirs)));
}

async function cpu(ours, theirs, other, goal, duration) {
  const cost = (sender) => async () => (await sendFor(sender, IN_FLIGHT, duration)).cpu;
  const what = 'CPU per update, 32 in flight';
  report({ what, other, unit: 'µs', goal, less: true }, await inTurns(cost(ours), cost(theirs)));
}

async function one(ours, theirs, duration) {
  const rate = (sender) => async () => (await sendFor(sender, 1, duration)).rate;
  const what = 'updateOrder, one at a time';
  const results = await inTurns(rate(ours), rate(theirs));
  report({ what, other: 'undici.request', unit: 'updates/s', goal: '' }, results);
}

/** New objects of the same shape each time, as from a database. */
async function validation() {
  const client = new Client('abcd.com');
  const orders = Array.from({ length: 64 }, (_, at) => ({
    ...ORDER,
    email_address: `${at}@a.com`,
  }));
  const ours = (order) => client.validateUpdate('1001', order).payload;
  const theirs = (order) =>
    JSON.stringify(Order.parse({ site_id: 'abcd.com', order_id: '1001', ...order }));
  if (ours(ORDER) !== theirs(ORDER)) throw new Error(`${ours(ORDER)}\nis not\n${theirs(ORDER)}`);
  const cost = (check) => () => {
    const { user, system } = process.cpuUsage();
    for (let at = 0; at < BATCH; at += 1) check(orders[at % orders.length]);
    const used = process.cpuUsage({ user, system });
    return ((used.user + used.system) * 1000) / BATCH;
  };
  const results = await inTurns(cost(ours), cost(theirs), 3 * ROUNDS);
  const what = 'validate + encode, 20 fields';
  report({ what, other: 'zod + stringify', unit: 'ns', goal: '>= 1.6', less: true }, results);
}

/** Each time in a new process. */
async function startup(what, ours, theirs, goal) {
  const time = (name) => () => {
    const script =
      'const start = performance.now(); require(process.argv[1]); console.log(performance.now() - start)';
    const target = name === ours ? PACKAGE : require.resolve(name);
    return Number(execFileSync(process.execPath, ['-e', script, target], { cwd: __dirname }));
  };
  const results = await inTurns(time(ours), time(theirs), 2 * ROUNDS);
  report({ what, other: theirs, unit: 'ms', goal, less: true }, results);
}

main(process.argv.slice(2));
