// The speed of the page with 200,000 orders. The printed figures are the result; the limits allow for
// a busy machine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fill, openPage, startBrowser, startSandbox } from './support.js';

const ORDERS = 200_000;
const LIMITS = { paint: 1000, filter: 300, rate: 4000 };

test('stays fast with 200,000 orders', { timeout: 240_000 }, async (t) => {
  const sandbox = await startSandbox();
  const browser = await startBrowser();
  t.after(async () => {
    await browser.close();
    await sandbox.end();
  });
  const first = await openPage(browser, sandbox.url);
  const started = performance.now();
  await fill(sandbox, ORDERS, 32);
  const rate = ORDERS / ((performance.now() - started) / 1000);
  t.diagnostic(`ingest with the page open: ${Math.round(rate)} updates/s`);
  await first.page.getByText('200,000 orders').waitFor();
  assert.deepEqual(first.problems, []);
  await first.context.close();

  const paints = [];
  const rows = [];
  const filters = [];
  // In one window, so that the time to open a window is not measured.
  const { page, problems } = await openPage(browser, sandbox.url);
  for (let round = 0; round < 5; round += 1) {
    await page.goto('about:blank');
    await page.goto(sandbox.url);
    await page.locator('#shown', { hasText: /^200,000 orders$/ }).waitFor();
    const marked = (name) =>
      page.evaluate((name) => performance.getEntriesByName(name)[0].startTime, name);
    paints.push(await marked('first-contentful-paint'));
    rows.push(await marked('rows'));
    filters.push(await page.evaluate(filterFor, String(1_000_000 + 31_337 * (round + 1))));
    await page.getByRole('button', { name: 'Reset' }).click();
    await page.locator('#shown', { hasText: /^200,000 orders$/ }).waitFor();
    await page.locator('#orders').focus();
    await page.keyboard.press('End');
    await page.locator('.row.active', { hasText: /\d{7}/ }).waitFor();
  }
  assert.deepEqual(problems, []);
  const middle = (times) => times.sort((a, b) => a - b)[2];
  t.diagnostic(
    `first paint: ${middle(paints).toFixed(0)} ms, with its rows ${middle(rows).toFixed(0)} ms`,
  );
  t.diagnostic(`filter by order id, from the key to the rows: ${middle(filters).toFixed(1)} ms`);
  assert.ok(middle(paints) < LIMITS.paint, `first paint ${paints}`);
  assert.ok(middle(filters) < LIMITS.filter, `filter ${filters}`);
  assert.ok(rate > LIMITS.rate, `ingest ${rate}`);
});

/** Runs in the page: the time from the input to the one matching row. */
function filterFor(id) {
  return new Promise((resolve) => {
    const input = document.getElementById('filter-order');
    const body = document.querySelector('.grid-body');
    const started = performance.now();
    const observer = new MutationObserver(() => {
      const rows = body.querySelectorAll('.row');
      if (rows.length === 1 && rows[0].textContent.includes(id)) {
        observer.disconnect();
        resolve(performance.now() - started);
      }
    });
    observer.observe(body, { childList: true, subtree: true });
    input.value = id;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  });
}
