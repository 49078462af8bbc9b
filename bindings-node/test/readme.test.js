'use strict';
// The README's example, as it stands there.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { it } = require('node:test');
const { promisify } = require('node:util');
const { startReceiver } = require('./support/receiver.js');

const root = path.join(__dirname, '..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const fields = readFileSync(path.join(root, 'fields.d.ts'), 'utf8');

it("the README's example sends what it says", async () => {
  const [, example] = readme.match(/```js\n(.*?)```/s);
  const receiver = await startReceiver();
  try {
    const { id, endpoint } = receiver.run('204');
    const env = { ...process.env, KATALYS_ENDPOINT: endpoint };
    const options = ['--input-type=module', '-e', example];
    const { stdout } = await promisify(execFile)(process.execPath, options, { cwd: root, env });
    assert.equal(stdout, 'received after 1 attempt(s)\n');
    const [{ body }] = await receiver.recorded(id, { wait: 1 });
    const sent = {
      site_id: 'abcd.com',
      order_id: '1001',
      order_status: 'paid',
      sale_amount: '25.67',
    };
    assert.deepEqual(JSON.parse(body), sent);
  } finally {
    await receiver.stop();
  }
});

it('the README names every option, and no other', () => {
  const [, options] = fields.match(/export interface ClientOptions \{\n(.*?)^\}/ms);
  const declared = [...options.matchAll(/^ {2}(\w+)\?/gm)].map(([, name]) => name);
  const [, table] = readme.match(/## Options\n(.*?)\n## /s);
  const named = [...table.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name);
  assert.deepEqual(named, declared);
});
