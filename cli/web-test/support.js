// Starts a sandbox and a browser for a test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const COMMAND = process.env.KATALYS ?? new URL('../../dist/katalys', import.meta.url).pathname;
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
export const JSON_TYPE = { 'content-type': 'application/json' };

/** Starts a sandbox that ends with this process. */
export async function startSandbox(...options) {
  const child = spawn(
    COMMAND,
    ['sandbox', '--port', '0', '--json', '--until-stdin-closes', ...options],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { url, endpoint } = JSON.parse(line);
  const post = (path, body) =>
    fetch(path, {
      method: 'POST',
      headers: JSON_TYPE,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    url,
    endpoint,
    send: async (update) => (await post(endpoint, update)).status,
    fault: (rule) => post(`${url}/_sandbox/faults`, rule),
    get: async (path) => (await fetch(url + path)).json(),
    clear: () => fetch(`${url}/_sandbox`, { method: 'DELETE' }),
    end: async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

export async function startBrowser() {
  assert.ok(existsSync(BROWSER), `${BROWSER} is missing: apt-get install chromium`);
  return chromium.launch({ executablePath: BROWSER, args: QUIET });
}

/** Opens the page, and collects its errors, warnings, dialogs and foreign requests in `problems`. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) problems.push(`outside: ${request.url()}`);
  });
  await page.goto(url);
  await page.waitForFunction(() => document.documentElement.dataset.drawn !== undefined);
  return { page, context, problems };
}

export const copied = (page) => page.evaluate(() => navigator.clipboard.readText());

/** Sends many orders quickly: over several connections, in pipelined batches. */
export async function fill({ url, endpoint }, count, connections = 8) {
  const { hostname, port } = new URL(url);
  const path = new URL(endpoint).pathname;
  const share = Math.ceil(count / connections);
  const line = async (first) => {
    const socket = net.connect(Number(port), hostname).setNoDelay(true);
    await once(socket, 'connect');
    const last = Math.min(first + share, count);
    let wanted = 0;
    let answered = 0;
    let more = () => {};
    socket.on('data', (data) => {
      let at = data.indexOf('HTTP/1.1 204');
      while (at >= 0) {
        answered += 1;
        at = data.indexOf('HTTP/1.1 204', at + 12);
      }
      if (answered >= wanted) more();
    });
    for (let batch = first; batch < last; batch += 200) {
      const size = Math.min(200, last - batch);
      wanted += size;
      let bytes = '';
      for (let number = batch; number < batch + size; number += 1) {
        const body = JSON.stringify(order(number));
        bytes += `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      }
      const done = new Promise((resolve) => {
        more = resolve;
      });
      socket.write(bytes);
      await done;
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, (_, index) => line(index * share)));
}

const STATUSES = ['paid', 'paid', 'pending', 'refunded', 'paid', 'cancelled'];

function order(number) {
  return {
    site_id: number % 5 === 0 ? 'KA-8ZYJMB2WQ4' : 'abcd.com',
    order_id: String(1_000_000 + number),
    order_status: STATUSES[number % STATUSES.length],
    order_time: '2026-01-02 03:04:05+00:00',
    sale_amount: `${number % 300}.50`,
    email_address: `c${number}@example.com`,
  };
}
