'use strict';
// A worker thread that enqueues, and reports each accepted update.

const { parentPort, workerData } = require('node:worker_threads');
const { Client } = require('katalys');

const { options, name, calls, reports = false } = workerData;
const client = new Client(options);
client.on('delivered', () => {});
for (let call = 0; call < calls; call += 1) {
  client.enqueueUpdate(`${name}-${call}`).then(() => {
    if (reports) parentPort.postMessage('accepted');
  });
}
if (reports) parentPort.postMessage('started');
