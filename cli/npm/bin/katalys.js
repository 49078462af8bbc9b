#!/usr/bin/env node
'use strict';
// Runs the program of this platform's package, and ends as it ends.

const { spawn } = require('node:child_process');
const { constants } = require('node:os');

/** What follows platform and processor in a package's name; the first that is there is used. */
const ABIS = { linux: ['-gnu', '-musl'], win32: ['-msvc'] };

function find() {
  const abis = ABIS[process.platform] ?? [''];
  const names = abis.map((abi) => `@katalys/cli-${process.platform}-${process.arch}${abi}`);
  for (const name of names) {
    try {
      return require.resolve(`${name}/katalys${process.platform === 'win32' ? '.exe' : ''}`);
    } catch {
      // Perhaps the next one.
    }
  }
  console.error(
    `error: the katalys command has no package ${names[0]} here. If there is one, install again ` +
      'without --omit=optional; otherwise this platform is not supported yet.',
  );
  return process.exit(2);
}

const child = spawn(find(), process.argv.slice(2), { stdio: 'inherit' });
// A terminal's Ctrl-C reaches the child by itself; what reaches only this process goes on to it.
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
