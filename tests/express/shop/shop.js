'use strict';
// A small shop whose routes report orders to Katalys.

const express = require('express');
const { Client, KatalysError, ValidationError } = require('katalys');

/** One client for the whole process: it holds the connections. */
const client = new Client();
const shop = express();
shop.use(express.json());

shop.post('/orders/:id/paid', async (request, response) => {
  const { total, email, items } = request.body;
  const receipt = await client.reportOrder(request.params.id, {
    order_status: 'paid',
    order_time: new Date('2018-01-01T09:23:40Z'),
    sale_amount: total,
    shipping_amount: 0,
    tax_amount: 0,
    email_address: email,
    line_items: items,
  });
  response.json(receipt);
});

/** Answers when the update is accepted; it is sent afterwards. */
shop.post('/orders/:id/:status/soon', async (request, response) => {
  const { id, status } = request.params;
  const fields = { order_status: status, order_count: request.body.count };
  response.status(202).json(await client.enqueueUpdate(id, fields));
});

shop.get('/counters', async (_request, response) => {
  const left = await client.flush(30);
  response.json({ ...(await client.stats()), left });
});

shop.post('/orders/:id/:status', async (request, response) => {
  response.json(
    await client.updateOrder(request.params.id, { order_status: request.params.status }),
  );
});

// Express passes rejected promises to this handler.
shop.use((error, _request, response, next) => {
  if (error instanceof ValidationError) response.status(422).json(error.problems);
  else if (error instanceof KatalysError) response.status(502).json({ code: error.code });
  else next(error);
});

/** Listens on a free port, and prints it. */
function open() {
  const server = shop.listen(0, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    if (process.send) process.send({ url, pid: process.pid });
    else console.log(JSON.stringify({ url }));
  });
  const end = () => {
    server.close(() => client.close(5));
    setTimeout(() => server.closeAllConnections(), 10_000).unref();
  };
  process.once('SIGTERM', end);
  process.once('disconnect', end);
  return server;
}

module.exports = { open };

if (require.main === module) open();
