// The package as an ES module, in worker threads that report an order and end.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import katalys, { Client } from 'katalys';

if (isMainThread) {
  for (const orderId of ['w-1', 'w-2']) {
    const worker = new Worker(new URL(import.meta.url), { workerData: orderId });
    worker.on('message', (receipt) => console.log(orderId, receipt.attempts));
  }
} else {
  const client = new Client();
  if (!(client instanceof katalys.Client)) throw new Error('two packages in one');
  parentPort.postMessage(await client.updateOrder(workerData, { order_status: 'paid' }));
}
