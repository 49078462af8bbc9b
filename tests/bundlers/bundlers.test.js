'use strict';
// Bundlers and file tracers find the compiled library of the built tarballs, and a bundle without it
// reports that.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { cp, mkdir, mkdtemp, readdir, rm } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { after, before, it } = require('node:test');
const { promisify } = require('node:util');

const DIST = process.env.DIST ?? path.join(__dirname, '../../dist');
const PRINTED = '{"site_id":"abcd.com","order_id":"1001"}\n';
const run = promisify(execFile);

let folder;
let app;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katalys-bundlers-'));
  app = path.join(folder, 'app');
  await cp(path.join(__dirname, 'app'), app, { recursive: true });
  const tarballs = (await readdir(DIST)).filter((name) => name.endsWith('.tgz'));
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['ci', ...quiet], { cwd: app });
  const paths = tarballs.map((name) => path.join(DIST, name));
  await run('npm', ['install', '--no-save', ...quiet, ...paths], { cwd: app });
});
after(() => rm(folder, { recursive: true }));

const tool = (name, ...args) =>
  run(path.join(app, 'node_modules/.bin', name), args, { cwd: app, timeout: 120_000 });

/** The output of a built program, in a folder from which no node_modules can be found. */
async function printed(built, main) {
  const deployed = path.join(folder, `deployed-${path.basename(built)}`);
  await cp(built, deployed, { recursive: true });
  const { stdout } = await run(process.execPath, [path.join(deployed, main)], { cwd: deployed });
  return stdout;
}

it('@vercel/nft, which Next.js and serverless builds trace with, finds every file', async () => {
  const { nodeFileTrace } = require(path.join(app, 'node_modules/@vercel/nft'));
  const { fileList } = await nodeFileTrace([path.join(app, 'app.js')], { base: app });
  const traced = path.join(folder, 'traced');
  for (const file of fileList) {
    await mkdir(path.dirname(path.join(traced, file)), { recursive: true });
    await cp(path.join(app, file), path.join(traced, file));
  }
  assert.equal(await printed(traced, 'app.js'), PRINTED);
});

it('@vercel/ncc, which uses webpack, includes it', async () => {
  const built = path.join(folder, 'ncc');
  await tool('ncc', 'build', 'app.js', '--out', built);
  assert.equal(await printed(built, 'index.js'), PRINTED);
});

it('esbuild includes it with a loader that copies such files', async () => {
  const built = path.join(folder, 'esbuild');
  const options = ['--bundle', '--platform=node', '--loader:.node=copy', `--outdir=${built}`];
  await tool('esbuild', 'app.js', ...options);
  assert.equal(await printed(built, 'app.js'), PRINTED);
});

it('a bundle without it fails with the reason when a client is created', async () => {
  const built = path.join(folder, 'without');
  const options = ['--bundle', '--platform=node', '--external:@katalys/*', `--outdir=${built}`];
  await tool('esbuild', 'app.js', ...options);
  const { stderr } = await printed(built, 'app.js').catch((error) => error);
  assert.match(stderr, /KatalysError: the compiled library .* the program was bundled without it/);
  assert.match(stderr, /code: 'library_unavailable'/);
});
