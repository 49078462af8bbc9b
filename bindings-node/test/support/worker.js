'use strict';
// A worker thread that makes calls, and reports when it has made all of them.

const { parentPort, workerData } = require('node:worker_threads');
const { Client } = require('katalys');

const { endpoint, number, calls } = workerData;
const client = new Client({ siteId: 'abcd.com', endpoint });
for (let call = 0; call < calls; call += 1) client.updateOrder(`${number}-${call}`);
parentPort.postMessage('started');
