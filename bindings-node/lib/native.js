'use strict';
// Loads the compiled library, which is in a package of its own for each platform. Without it, the
// package can still be imported, and creating a client fails with the reason.

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
 *   addShape(environment: Environment, keys: string, count: number): number,
 *   clearShapes(environment: Environment): void,
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
 *   flush(client: NativeClient, call: number, timeout: number | undefined): string,
 *   close(client: NativeClient, call: number, timeout: number | undefined): string,
 *   pause(client: NativeClient): void,
 *   waitUntilPaused(client: NativeClient, call: number): string,
 *   resume(client: NativeClient): void,
 *   deadLetters(client: NativeClient, call: number, after: number, limit: number | undefined):
 *     string,
 *   replay(client: NativeClient, call: number, id: number): string,
 *   discard(client: NativeClient, call: number, id: number): string,
 *   edit(client: NativeClient, call: number, id: number, packed: string, tokens: number): string,
 * }} Native
 */

/** The platforms that `load` has a build for. */
const BUILDS = 'Linux on x64 with glibc 2.17 or later';

/**
 * Each name is a literal, so that bundlers and file tracers find it.
 * @returns {Native | undefined} Undefined if there is no build for this platform.
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

/** @type {import('../results').ErrorCode} */
const CODE = 'library_unavailable';

/**
 * Why the library cannot be loaded, and how to fix it.
 * @param {any} cause The error of loading it, if there is a build.
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

/** Whether this module has been moved out of the package's folder. */
function isBundled() {
  return typeof __filename !== 'string' || !/[\\/]lib[\\/]native\.js$/.test(__filename);
}

/**
 * Replaces the library: supports what happens before there is a client, and refuses to open one.
 * @param {any} cause
 * @returns {any}
 */
function unavailable(cause) {
  return {
    version: () => VERSION,
    maxKeys: () => 0,
    openEnvironment: () => null,
    contain: () => {},
    clearShapes: () => {},
    addShape: () => 0,
    openClient() {
      const message = `the compiled library of katalys cannot be loaded: ${reason(cause)}`;
      throw Object.assign(new KatalysError(message, { code: CODE }), { cause });
    },
  };
}

/** @returns {Native} */
function loaded() {
  try {
    const library = load();
    if (library === undefined) return unavailable(undefined);
    const version = library.version();
    if (version === VERSION) return library;
    throw new Error(`it is version ${version}, while katalys is version ${VERSION}`);
  } catch (cause) {
    return unavailable(cause);
  }
}

module.exports = loaded();
