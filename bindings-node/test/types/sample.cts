// The package from CommonJS. Compiled, never run.

import katalys = require('katalys');

import { Client } from 'katalys';

import testing = require('katalys/testing');

const client: katalys.Client = new Client('abcd.com');
export const receipt: Promise<katalys.Receipt> = client.updateOrder('1001', {
  order_status: 'paid',
});
// @ts-expect-error there is no such export
katalys.Clients;
export const sandbox: Promise<testing.Sandbox> = testing.startSandbox({ command: 'katalys' });
