#!/usr/bin/env node
'use strict';
// Runs the binary of this platform's package, and exits with its exit code or signal.

const { spawn } = require('node:child_process');
const { constants } = require('node:os');

/** Suffixes of the package names of a platform; the first installed package is used. */
const ABIS = { linux: ['-gnu', '-musl'], win32: ['-msvc'] };

function find() {
  const abis = ABIS[process.platform] ?? [''];
  const names = abis.map((abi) => `@katalys/cli-${process.platform}-${process.arch}${abi}`);
  for (const name of names) {
    try {
      return require.resolve(`${name}/katalys${process.platform === 'win32' ? '.exe' : ''}`);
    } catch {
      // Try the next package.
    }
  }
  console.error(
    `error: the package ${names[0]} is not installed. If it exists, install again ` +
      'without --omit=optional; otherwise this platform is not supported yet.',
  );
  return process.exit(2);
}

const child = spawn(find(), process.argv.slice(2), { stdio: 'inherit' });
// A terminal sends Ctrl-C to the child as well; signals sent only to this process are forwarded.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) {
  process.on(signal, () => child.kill(signal));
}
child.on('error', (error) => {
  console.error(`error: ${error.message}`);
  process.exit(2);
});
child.on('exit', (code, signal) => {
  process.exit(signal ? 128 + constants.signals[signal] : code);
});
