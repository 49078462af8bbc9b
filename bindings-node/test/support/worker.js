'use strict';
// A worker thread that makes calls and tells when all of them are on their way.

const { parentPort, workerData } = require('node:worker_threads');
const { Client } = require('katalys');

const { endpoint, number, calls } = workerData;
const client = new Client({ siteId: 'abcd.com', endpoint });
for (let call = 0; call < calls; call += 1) client.updateOrder(`${number}-${call}`);
parentPort.postMessage('under way');
