'use strict';
// Where the compiled library cannot be loaded, the package can still be imported, and creating a client
// fails with the reason.

const assert = require('node:assert/strict');
const { cp, mkdir, mkdtemp, rm, writeFile } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { after, before, it } = require('node:test');
const { runChild } = require('./support/child.js');

const root = path.join(__dirname, '..');
const PLATFORM = '@katalys/linux-x64-gnu';

let folder;
let katalys;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katalys-platform-'));
  katalys = path.join(folder, 'node_modules/katalys');
  for (const name of ['lib', 'package.json']) {
    await cp(path.join(root, name), path.join(katalys, name), { recursive: true });
  }
});
after(() => rm(folder, { recursive: true }));

/** The reason in the error of creating a client, after importing the package in both ways. */
async function said({ before = '', nodeOptions = [], from = katalys } = {}) {
  const script = `
    ${before}
    const { Client, KatalysError, ValidationError } = require(${JSON.stringify(from)});
    import(${JSON.stringify(path.join(from, 'lib/index.js'))}).then((module) => {
      if (module.Client !== Client) throw new Error('two packages');
      console.log('imported');
      try {
        new Client('abcd.com');
      } catch (error) {
        const isRight = error instanceof KatalysError && !(error instanceof ValidationError);
        console.log(isRight, error.code, error.retryable, /at .*\\[eval\\]/.test(error.stack));
        console.log(error.message);
      }
    });
  `;
  const { stdout, stderr, code } = await runChild(script, {
    prelude: '',
    endpoint: '',
    nodeOptions,
  });
  assert.equal(code, 0, stderr);
  const [imported, kind, message] = stdout.split('\n');
  assert.deepEqual([imported, kind], ['imported', 'true library_unavailable false true'], stdout);
  const opening = 'the compiled library of katalys cannot be loaded: ';
  assert.ok(message.startsWith(opening), message);
  return message.slice(opening.length);
}

const pretend = (name, value) =>
  `Object.defineProperty(process, '${name}', { value: ${JSON.stringify(value)} });`;

it('a platform without a build is named, with those that have one', async () => {
  const builds = 'only for Linux on x64 with glibc 2.17 or later';
  const mac = await said({ from: root, before: pretend('platform', 'darwin') });
  assert.equal(mac, `there is no build for darwin-x64, ${builds}`);
  const arm = await said({ from: root, before: pretend('arch', 'arm64') });
  assert.equal(arm, `there is no build for linux-arm64, ${builds}`);
  const alpine = await said({ before: 'process.report.getReport = () => ({ header: {} });' });
  assert.equal(alpine, `there is no build for linux-x64 with musl (Alpine), ${builds}`);
});

it('an optional dependency that is not installed is named', async () => {
  assert.match(
    await said(),
    /^the optional dependency for linux-x64 is not installed; .*--omit=optional/,
  );
});

it('a process that may not load addons is reported', async () => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  for (const nodeOptions of [['--no-addons'], [flag, '--allow-fs-read=*']]) {
    const message = await said({ from: root, nodeOptions });
    assert.match(message, /^this process may not load it .*--no-addons.*--allow-addons/);
  }
});

it('a file of another version is distinguished from one that cannot be loaded', async () => {
  const installed = path.join(folder, 'node_modules', PLATFORM);
  await mkdir(installed, { recursive: true });
  try {
    await writeFile(path.join(installed, 'index.js'), 'exports.version = () => "9.8.7";');
    assert.match(
      await said(),
      /^it cannot be used: it is version 9\.8\.7, while katalys is version/,
    );
    await rm(path.join(installed, 'index.js'));
    await writeFile(path.join(installed, 'index.node'), 'damaged');
    assert.match(await said(), /^it cannot be used: .*index\.node: /);
  } finally {
    await rm(installed, { recursive: true });
  }
});
