'use strict';
// A worker thread that enqueues, and tells of each update that was accepted.

const { parentPort, workerData } = require('node:worker_threads');
const { Client } = require('katalys');

const { options, name, calls, tells = false } = workerData;
const client = new Client(options);
client.on('delivered', () => {});
for (let call = 0; call < calls; call += 1) {
  client.enqueueUpdate(`${name}-${call}`).then(() => {
    if (tells) parentPort.postMessage('accepted');
  });
}
if (tells) parentPort.postMessage('under way');
