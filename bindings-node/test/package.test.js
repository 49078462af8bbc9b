'use strict';
// The package's public interface: its names, its types, its version.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { EventEmitter } = require('node:events');
const { it } = require('node:test');
const katalys = require('katalys');
const manifest = require('katalys/package.json');
const native = require('../lib/native.js');

const root = path.join(__dirname, '..');
const [declarations, results] = ['index.d.ts', 'results.d.ts'].map((name) =>
  readFileSync(path.join(root, name), 'utf8'),
);
const platform = JSON.parse(
  readFileSync(path.join(root, 'npm/linux-x64-gnu/package.json'), 'utf8'),
);

it('every export is declared, and every declaration exported', () => {
  const declared = [
    ...(declarations + results).matchAll(/^export (?:declare )?(?:class|const|function) (\w+)/gm),
  ];
  assert.deepEqual(Object.keys(katalys).sort(), declared.map(([, name]) => name).sort());
});

it('every method of the client is declared, and every declaration implemented', () => {
  const [, body] = declarations.match(/^export class Client extends EventEmitter \{\n(.*?)^\}/ms);
  const declared = new Set([...body.matchAll(/^ {2}(\w+)[(<]/gm)].map(([, name]) => name));
  assert.ok(declared.has('updateOrder') && declared.has('on'));
  const { prototype } = katalys.Client;
  const isOwn = (name) => name === 'constructor' || !(name in EventEmitter.prototype);
  const methods = Object.getOwnPropertyNames(prototype).filter(isOwn);
  assert.deepEqual(methods.sort(), [...declared].filter(isOwn).sort());
  for (const name of declared) assert.equal(typeof prototype[name], 'function', name);
});

it('import sees the same names as require', async () => {
  const { default: whole, ...named } = await import('katalys');
  delete named['module.exports'];
  assert.deepEqual({ ...named }, { ...katalys });
  assert.equal(whole, katalys);
});

it('import and require see the same names in katalys/testing', async () => {
  const { default: whole, ...named } = await import('katalys/testing');
  delete named['module.exports'];
  assert.deepEqual(Object.keys(named).sort(), ['SandboxError', 'startSandbox']);
  assert.equal(whole, require('katalys/testing'));
});

it('the package, its platform package and the core have one version', () => {
  assert.equal(native.version(), manifest.version);
  assert.equal(platform.version, manifest.version);
  for (const version of Object.values(manifest.optionalDependencies)) {
    assert.equal(version, manifest.version);
  }
});

it('nothing runs at installation', () => {
  for (const { scripts = {} } of [manifest, platform]) {
    assert.deepEqual(
      Object.keys(scripts).filter((name) => /install|prepare/.test(name)),
      [],
    );
  }
});
