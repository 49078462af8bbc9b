'use strict';
// The README's examples run exactly as printed.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { mkdtemp, rm } = require('node:fs/promises');
const path = require('node:path');
const { after, before, it } = require('node:test');
const { promisify } = require('node:util');
const { startReceiver } = require('./support/receiver.js');

const root = path.join(__dirname, '..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const fields = readFileSync(path.join(root, 'fields.d.ts'), 'utf8');

const examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, example]) => example);

let receiver;
before(async () => {
  receiver = await startReceiver();
});
after(() => receiver.stop());

function runExample(example, endpoint, cwd) {
  const env = { ...process.env, KATALYS_ENDPOINT: endpoint };
  const options = ['--input-type=module', '-e', example];
  return promisify(execFile)(process.execPath, options, { cwd, env, timeout: 60_000 });
}

it("the README's example sends what it says", async () => {
  const { id, endpoint } = receiver.run('204');
  const { stdout } = await runExample(examples[0], endpoint, root);
  assert.equal(stdout, 'received after 1 attempt(s)\n');
  const [{ body }] = await receiver.recorded(id, { wait: 1 });
  const sent = {
    site_id: 'abcd.com',
    order_id: '1001',
    order_status: 'paid',
    sale_amount: '25.67',
  };
  assert.deepEqual(JSON.parse(body), sent);
});

it("the README's outbox accepts, delivers and ends", async () => {
  // Within the package, so that its name resolves to it.
  const cwd = await mkdtemp(path.join(__dirname, 'readme-'));
  try {
    const example = examples[1].replace('/var/lib/shop/', `${cwd}/`);
    assert.notEqual(example, examples[1]);
    const { stdout, stderr } = await runExample(example, receiver.run('204').endpoint, cwd);
    assert.deepEqual([stdout, stderr], ['accepted as 1\n0 left\n', '']);
    const refused = await runExample(example, receiver.run('404').endpoint, cwd);
    assert.deepEqual(
      [refused.stdout, refused.stderr],
      ['accepted as 2\n0 left\n', 'refused: 2 404\n'],
    );
  } finally {
    await rm(cwd, { recursive: true });
  }
});

it("the README's test passes", async () => {
  const command = process.env.KATALYS_COMMAND ?? path.join(__dirname, '../../target/debug/katalys');
  const [example] = examples.filter((text) => text.includes('katalys/testing'));
  const options = ['--input-type=module', '--test-reporter=tap', '-e', example];
  const { NODE_TEST_CONTEXT: _, ...env } = { ...process.env, KATALYS_COMMAND: command };
  const run = promisify(execFile)(process.execPath, options, { cwd: root, env, timeout: 60_000 });
  assert.match((await run).stdout, /^# pass 1$/m);
});

it('the README names every field', () => {
  const [, section] = readme.match(/### Fields\n\n(.*?)\n/s);
  const declared = ['OrderFields', 'Discount', 'LineItem'].flatMap((name) => {
    const [, body] = fields.match(new RegExp(`export interface ${name} \\{\\n(.*?)^\\}`, 'ms'));
    return [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, field]) => field);
  });
  assert.ok(declared.length > 20);
  for (const name of declared) assert.match(section, new RegExp(`[\\s\`]${name}[,\\s\`]`));
});

it('the README names every option, and no other', () => {
  const [, options] = fields.match(/export interface ClientOptions \{\n(.*?)^\}/ms);
  const declared = [...options.matchAll(/^ {2}(\w+)\?/gm)].map(([, name]) => name);
  const [, table] = readme.match(/## Options\n(.*?)\n## /s);
  const named = [...table.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name);
  assert.deepEqual(named, declared);
});
