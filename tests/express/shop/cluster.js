'use strict';
// The same shop in several processes that share a port. Prints where, when all are there.

const cluster = require('node:cluster');
const { open } = require('./shop.js');

const PROCESSES = 3;

if (cluster.isPrimary) {
  let there = 0;
  for (let number = 0; number < PROCESSES; number += 1) cluster.fork();
  cluster.on('message', (_worker, { url }) => {
    there += 1;
    if (there === PROCESSES) console.log(JSON.stringify({ url }));
  });
  process.once('SIGTERM', () => cluster.disconnect());
} else {
  open();
}
