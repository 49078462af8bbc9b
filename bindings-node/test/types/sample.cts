// The same package from CommonJS. Compiled, never run.

import katalys = require('katalys');

import { Client } from 'katalys';

const client: katalys.Client = new Client('abcd.com');
export const receipt: Promise<katalys.Receipt> = client.updateOrder('1001', {
  order_status: 'paid',
});
// @ts-expect-error there is no such export
katalys.Clients;
