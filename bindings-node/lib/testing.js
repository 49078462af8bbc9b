'use strict';
// Runs `katalys sandbox` in a process of its own for tests, and reads what it received. Loading this
// module keeps every client of the process, and of its child processes, from sending to production.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { mkdtempSync, readdirSync, rmSync, statSync } = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { isMainThread } = require('node:worker_threads');
const native = require('./native.js');
const { reopenAll } = require('./outbox.js');

const ARGUMENTS = ['sandbox', '--port', '0', '--json', '--until-stdin-closes'];
const START_TIMEOUT_MS = 30_000;
const NOT_INSTALLED =
  'the katalys command is not installed: npm install --save-dev @katalys/cli, or set ' +
  'KATALYS_COMMAND to its path';

const PREFIX = 'katalys-test-node-';
const FOLDER = /^katalys-test-node-(\d+)-\w{6}$/;
const MAX_AGE_MS = 60 * 60 * 1000;
const CLOSED = 'this sandbox was closed; start another one with startSandbox()';

/** The folder of the tests' outboxes. Child processes inherit it. */
const folder = testFolder();
/**
 * The open sandboxes. The last one receives what clients send to other hosts.
 * @type {Sandbox[]}
 */
const open = [];
contain();
reopenAll();

/** The folder of the test run that this process belongs to, or a new one. */
function testFolder() {
  const [given] = (process.env.KATALYS_TEST_DIR ?? '').split(path.delimiter);
  if (given) return given;
  removeOldFolders();
  const own = mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`));
  process.env.KATALYS_TEST_DIR = own;
  // A worker thread may end before other threads of the process.
  if (isMainThread) process.on('exit', () => rmSync(own, { recursive: true, force: true }));
  return own;
}

/** Removes folders of processes that did not: jest hides the end of its processes from modules. */
function removeOldFolders() {
  for (const name of readdirSync(os.tmpdir())) {
    const pid = Number(name.match(FOLDER)?.[1]);
    if (!pid || isRunning(pid)) continue;
    const old = path.join(os.tmpdir(), name);
    try {
      if (Date.now() - statSync(old).mtimeMs > MAX_AGE_MS) rmSync(old, { recursive: true });
    } catch {
      // It belongs to another user, or another process has removed it.
    }
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH';
  }
}

/**
 * Passes the folder and the endpoint to the core, which does not see changes to `process.env` in jest
 * and in worker threads: those have a copy.
 */
function contain() {
  native.contain(folder, open.at(-1)?.endpoint ?? null);
}

/**
 * @typedef {import('node:child_process').ChildProcessByStdio<
 *   import('node:stream').Writable, import('node:stream').Readable, null>} Child
 * @typedef {import('../testing').Sandbox} Declared
 * @typedef {{ url: string, endpoint: string }} Ready
 */

class SandboxError extends Error {
  /**
   * @param {string} message
   * @param {number | null} [status]
   * @param {unknown} [cause]
   */
  constructor(message, status = null, cause = undefined) {
    super(message, { cause });
    this.name = 'SandboxError';
    this.status = status;
  }
}

class Sandbox {
  #child;
  /** @type {Promise<void> | undefined} */
  #closed;

  /**
   * @param {Child} child
   * @param {Ready} ready
   */
  constructor(child, { url, endpoint }) {
    this.#child = child;
    this.url = url;
    this.endpoint = endpoint;
    open.push(this);
    contain();
  }

  /** @type {Declared['order']} */
  order(orderId, { siteId } = {}) {
    const query = { site_id: siteId };
    return this.#call('GET', `/orders/${encodeURIComponent(String(orderId))}`, { query });
  }

  /** @type {Declared['orders']} */
  orders(filters = {}) {
    return this.#call('GET', '/orders', { query: { ...filters } });
  }

  /** @type {Declared['updates']} */
  updates(since = 0) {
    return this.#call('GET', '/updates', { query: { since, limit: 1000 } });
  }

  /** @type {Declared['waitFor']} */
  waitFor(orderId, { siteId, ...expected } = {}) {
    const query = { order_id: orderId, site_id: siteId, ...expected };
    return this.#call('GET', '/wait', { query });
  }

  /** @type {Declared['fault']} */
  async fault(fault) {
    const added = await this.#call('POST', '/faults', { body: JSON.stringify(fault) });
    return added.faults[0];
  }

  /** @type {Declared['clearFaults']} */
  async clearFaults() {
    await this.#call('DELETE', '/faults');
  }

  /** @type {Declared['clear']} */
  async clear() {
    await this.#call('DELETE', '');
  }

  /** @type {Declared['close']} */
  close() {
    if (this.#closed === undefined) {
      open.splice(open.indexOf(this), 1);
      contain();
      this.#closed = stopped(this.#child);
    }
    return this.#closed;
  }

  /**
   * @param {string} method
   * @param {string} where
   * @param {{ query?: object, body?: string }} [content]
   * @returns {Promise<any>}
   */
  async #call(method, where, { query = {}, body } = {}) {
    if (this.#closed) throw new SandboxError(CLOSED);
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, String(value));
    }
    const url = `${this.url}/_sandbox${where}?${search}`;
    const { status, text } = await exchange(method, url, body).catch((error) => {
      const message = this.#closed ? CLOSED : `the sandbox does not answer: ${error.message}`;
      throw new SandboxError(message, null, error);
    });
    const answer = text === '' ? undefined : parsed(text);
    if (status < 300) return answer;
    throw new SandboxError(answer?.error ?? 'the answer is not that of a sandbox', status);
  }
}

if (Symbol.asyncDispose) {
  Object.defineProperty(Sandbox.prototype, Symbol.asyncDispose, {
    value: Sandbox.prototype.close,
    writable: true,
    configurable: true,
  });
}

/** @type {typeof import('../testing').startSandbox} */
async function startSandbox({ command } = {}) {
  const [program, ...before] = commandLine(command);
  // In a session of its own, so that Ctrl-C reaches the tests or a debugger only.
  const child = spawn(program, [...before, ...ARGUMENTS], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  try {
    const ready = await readyLine(child);
    // It ends with this process, and does not keep it alive.
    child.unref();
    child.stdout.destroy();
    /** @type {import('node:net').Socket} */ (child.stdin).unref();
    return /** @type {Declared} */ (/** @type {unknown} */ (new Sandbox(child, ready)));
  } catch (error) {
    child.kill('SIGKILL');
    child.stdin.destroy();
    child.stdout.destroy();
    throw startError(program, error);
  }
}

/**
 * The program, and the first of its arguments.
 * @param {string | undefined} command
 * @returns {[string, ...string[]]}
 */
function commandLine(command) {
  const named = command ?? process.env.KATALYS_COMMAND;
  if (named) return [named];
  try {
    const manifest = require.resolve('@katalys/cli/package.json', {
      paths: [process.cwd(), __dirname],
    });
    return [process.execPath, path.join(path.dirname(manifest), require(manifest).bin.katalys)];
  } catch {
    return ['katalys'];
  }
}

/**
 * @param {Child} child
 * @returns {Promise<Ready>}
 */
function readyLine(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(reject, START_TIMEOUT_MS).unref();
    const settle = () => {
      clearTimeout(timer);
      const ready = parsed(text);
      if (ready?.endpoint) resolve(ready);
      else reject();
    };
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', settle);
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) settle();
    });
  });
}

/**
 * @param {string} program
 * @param {any} error
 */
function startError(program, error) {
  if (!error) {
    return new SandboxError(`${program} did not start a sandbox; see its stderr`);
  }
  const isMissing = error.code === 'ENOENT' && program === 'katalys';
  const message = isMissing ? NOT_INSTALLED : `the sandbox could not be started: ${error.message}`;
  return new SandboxError(message, null, error);
}

/** @param {Child} child */
async function stopped(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const ended = once(child, 'exit');
  child.stdin.destroy();
  child.kill();
  await ended;
}

/**
 * Makes a request over a new connection, without any proxy, and without `fetch`, which tests may
 * replace.
 * @param {string} method
 * @param {string} url
 * @param {string | undefined} body
 * @returns {Promise<{ status: number, text: string }>}
 */
function exchange(method, url, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject).end(body);
  });
}

/**
 * @param {string} text
 * @returns {any}
 */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

exports.startSandbox = startSandbox;
exports.SandboxError = SandboxError;
