'use strict';
// Compares a durable enqueue with an insert by better-sqlite3. Prints one JSON object per line.
//
// Usage: node outbox.js [seconds-per-measurement]
//
// Both store the same order, with the same settings of SQLite, on the disk of the sources. Nothing is
// delivered meanwhile. better-sqlite3 encodes and inserts the order, which blocks the event loop; its
// log is checkpointed automatically by SQLite. KATALYS_NODE is the package's folder.

const { mkdtempSync, rmSync } = require('node:fs');
const path = require('node:path');
const Database = require('better-sqlite3');
const { ORDER } = require('./order.js');
const { inTurns, report, sendFor } = require('./turns.js');

const PACKAGE = process.env.KATALYS_NODE ?? path.join(__dirname, '../../bindings-node');
const { Client } = require(PACKAGE);

const MANY = 32;

async function main([seconds = '1']) {
  const duration = Number(seconds) * 1000;
  const folder = mkdtempSync(path.join(__dirname, 'outbox-bench-'));
  try {
    for (const [durability, goal] of [
      ['full', '>= 1.2'],
      ['normal', ''],
    ]) {
      const ours = byUs(path.join(folder, `ours-${durability}.db`), durability);
      const theirs = bySqlite(path.join(folder, `theirs-${durability}.db`), durability);
      const many = durability === 'normal' ? '>= 1' : '';
      await rates('one at a time', 1, { ours, theirs, durability, goal }, duration);
      await rates(`${MANY} in flight`, MANY, { ours, theirs, durability, goal: many }, duration);
      await ours.close();
      theirs.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function byUs(file, durability) {
  const client = new Client('abcd.com', { outbox: file, durability, deliver: false });
  return {
    send: (orderId) => client.enqueueUpdate(orderId, ORDER),
    close: () => client.close(),
  };
}

function bySqlite(file, durability) {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${durability}`);
  database.exec('CREATE TABLE updates (id INTEGER PRIMARY KEY, lane TEXT, payload TEXT)');
  const insert = database.prepare('INSERT INTO updates (lane, payload) VALUES (?, ?)');
  return {
    send(orderId) {
      const order = { site_id: 'abcd.com', order_id: orderId, ...ORDER };
      return insert.run(orderId, JSON.stringify(order)).lastInsertRowid;
    },
    close: () => database.close(),
  };
}

async function rates(how, inFlight, { ours, theirs, durability, goal }, duration) {
  const rate = (sender, lanes) => async () => (await sendFor(sender, lanes, duration)).rate;
  const what = `durable enqueue ${durability.toUpperCase()}, ${how}`;
  const other = `better-sqlite3 ${durability.toUpperCase()}`;
  const results = await inTurns(rate(ours, inFlight), rate(theirs, 1));
  report({ what, other, unit: 'updates/s', goal }, results);
}

main(process.argv.slice(2));
