'use strict';
// Finds the compiled part, which comes in a package of its own for each platform.

/**
 * @typedef {{ readonly environment: unique symbol }} Environment
 * @typedef {{ readonly client: unique symbol }} NativeClient
 * @typedef {{
 *   version(): string,
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
 *   shutDown(client: NativeClient, call: number, seconds: number): string,
 *   deadLetters(client: NativeClient, call: number, after: number, limit: number): string,
 *   replay(client: NativeClient, call: number, id: number): string,
 *   discard(client: NativeClient, call: number, id: number): string,
 *   edit(client: NativeClient, call: number, id: number, packed: string, tokens: number): string,
 * }} Native
 */

/** What follows platform and processor in a package's name; the first that loads is used. */
const ABIS = /** @type {Record<string, string[]>} */ ({
  linux: ['-gnu', '-musl'],
  win32: ['-msvc'],
});

/** @returns {Native} */
function load() {
  const platform = `${process.platform}-${process.arch}`;
  const abis = ABIS[process.platform] ?? [''];
  const causes = [];
  for (const abi of abis) {
    try {
      return require(`@katalys/${platform}${abi}`);
    } catch (cause) {
      causes.push(cause);
    }
  }
  const name = `@katalys/${platform}${abis[0]}`;
  throw new Error(
    `katalys could not load its compiled part for this platform, ${name}. ` +
      'If there is such a package, install again without --omit=optional and on the platform ' +
      'that it runs on; otherwise this platform is not supported yet.',
    { cause: causes[0] },
  );
}

module.exports = load();
