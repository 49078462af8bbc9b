'use strict';
// Finds the compiled library, which comes in a package of its own for each platform. Where there is
// none, the package can be imported all the same: making a client says why.

const { version: VERSION } = require('../package.json');
const { KatalysError } = require('./errors.js');

/**
 * @typedef {{ readonly environment: unique symbol }} Environment
 * @typedef {{ readonly client: unique symbol }} NativeClient
 * @typedef {{
 *   version(): string,
 *   maxKeys(): number,
 *   tooLarge(): string,
 *   wrongFields(found: string): string,
 *   contain(folder: string, endpoint: string | null): void,
 *   openEnvironment(
 *     deliver: import('./environment.js').Deliver): Environment,
 *   keepProcessAlive(environment: Environment, alive: boolean): void,
 *   learnShape(environment: Environment, keys: string, count: number): number,
 *   forgetShapes(environment: Environment): void,
 *   openClient(environment: Environment, packed: string, tokens: number):
 *     NativeClient | string | null,
 *   submit(client: NativeClient, call: number, isReport: boolean, packed: string, tokens: number):
 *     string | null,
 *   validate(client: NativeClient, isReport: boolean, packed: string, tokens: number):
 *     string | [payload: string | null | undefined, problems: string] | null,
 *   hasOutbox(client: NativeClient): boolean,
 *   enqueue(client: NativeClient, call: number, isReport: boolean, packed: string, tokens: number):
 *     string | null,
 *   observe(client: NativeClient, number: number): void,
 *   stats(client: NativeClient, call: number): string,
 *   flush(client: NativeClient, call: number, seconds: number): string,
 *   close(client: NativeClient, call: number, seconds: number): string,
 *   pause(client: NativeClient): void,
 *   waitUntilPaused(client: NativeClient, call: number, seconds: number): string,
 *   resume(client: NativeClient): void,
 *   deadLetters(client: NativeClient, call: number, after: number, limit: number): string,
 *   replay(client: NativeClient, call: number, id: number): string,
 *   discard(client: NativeClient, call: number, id: number): string,
 *   edit(client: NativeClient, call: number, id: number, packed: string, tokens: number): string,
 * }} Native
 */

/** What `load` has a build for. */
const BUILDS = 'Linux on x64 with glibc 2.17 or later';

/**
 * The names stand in full, so that bundlers and file tracers find them.
 * @returns {Native | undefined} Nothing if there is no build for this platform.
 */
function load() {
  switch (`${process.platform}-${process.arch}`) {
    case 'linux-x64':
      // @ts-ignore It has no types.
      return require('@katalys/linux-x64-gnu');
    default:
      return undefined;
  }
}

/** @type {import('../fields').ErrorCode} */
const CODE = 'library_unavailable';

/**
 * What keeps the library from being loaded, and what to do about it.
 * @param {any} cause What loading it threw, if there is a build.
 */
function reason(cause) {
  const platform = `${process.platform}-${process.arch}`;
  if (!cause) return `there is no build for ${platform}, only for ${BUILDS}`;
  if (isMusl()) return `there is no build for ${platform} with musl (Alpine), only for ${BUILDS}`;
  if (cause.code === 'ERR_DLOPEN_DISABLED' || cause.code === 'ERR_ACCESS_DENIED') {
    return (
      `this process may not load it (${cause.message}); ` +
      'start node without --no-addons, and --permission with --allow-addons and --allow-fs-read'
    );
  }
  if (isBundled()) {
    return (
      'the program was bundled without it; leave katalys out of the bundle, or let the bundler ' +
      'copy .node files, as the README of katalys says'
    );
  }
  if (cause.code === 'MODULE_NOT_FOUND') {
    return (
      `the optional dependency for ${platform} is not installed; install again on this platform ` +
      'and without --omit=optional, rather than copy node_modules from another one'
    );
  }
  return `it cannot be used: ${cause.message}`;
}

/** Whether this is Alpine or another Linux without glibc. */
function isMusl() {
  if (process.platform !== 'linux') return false;
  try {
    const report = /** @type {any} */ (process.report.getReport());
    return report.header.glibcVersionRuntime === undefined;
  } catch {
    return false;
  }
}

/** Whether this module is no longer where the package has it. */
function isBundled() {
  return typeof __filename !== 'string' || !/[\\/]lib[\\/]native\.js$/.test(__filename);
}

/**
 * In place of the library: everything that happens before there is a client, and no client.
 * @param {any} cause
 * @returns {any}
 */
function standIn(cause) {
  return {
    version: () => VERSION,
    maxKeys: () => 0,
    openEnvironment: () => null,
    contain: () => {},
    forgetShapes: () => {},
    learnShape: () => 0,
    openClient() {
      const message = `the compiled library of katalys cannot be loaded: ${reason(cause)}`;
      throw Object.assign(new KatalysError(message, { code: CODE }), { cause });
    },
  };
}

/** @returns {Native} */
function loadOrStandIn() {
  try {
    const library = load();
    if (library === undefined) return standIn(undefined);
    const version = library.version();
    if (version === VERSION) return library;
    throw new Error(`it is version ${version}, while katalys is version ${VERSION}`);
  } catch (cause) {
    return standIn(cause);
  }
}

module.exports = loadOrStandIn();
