'use strict';
// The same shop in several processes that share a port. Prints the URL when all are listening.

const cluster = require('node:cluster');
const { open } = require('./shop.js');

const PROCESSES = Number(process.env.SHOP_PROCESSES ?? 3);

if (cluster.isPrimary) {
  const pids = [];
  for (let number = 0; number < PROCESSES; number += 1) cluster.fork();
  cluster.on('message', (_worker, { url, pid }) => {
    pids.push(pid);
    if (pids.length === PROCESSES) console.log(JSON.stringify({ url, pids }));
  });
  process.once('SIGTERM', () => cluster.disconnect());
} else {
  open();
}
